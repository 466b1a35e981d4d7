# Connects a Python process to the gateway host of its cluster: requests of aiohttp to Discord's API
# and gateway go there instead, over loopback. While no host listens there, as the next one starts,
# a request waits. CONTROL writes this file and puts its folder on PYTHONPATH.
import importlib.abc
import importlib.util
import os
import re
import sys

_API = re.compile(r"(?:(?:canary|ptb)\.)?discord(?:app)?\.com")
_PATIENCE, _PAUSE = 30, 0.1  # seconds
_GATEWAY = re.compile(r"gateway[a-z0-9-]*\.discord\.gg")


def _redirect(client, to):
    import asyncio
    import errno
    import time

    from yarl import URL

    base, request = URL(to), client.ClientSession._request

    async def redirected(self, method, url, **options):
        url = URL(url)
        host = url.host or ""
        if _GATEWAY.fullmatch(host):
            url = base.with_query(url.query)
        elif _API.fullmatch(host) and url.path.startswith("/api"):
            url = url.with_scheme("http").with_host(base.host).with_port(base.port)
        ours = (url.host, url.port) == (base.host, base.port)
        again = ours and isinstance(options.get("data"), (bytes, str, type(None)))  # a form is sent once
        lost = {errno.ECONNREFUSED, errno.ECONNRESET} if method == "GET" else {errno.ECONNREFUSED}
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                return await request(self, method, url, **options)
            except client.ClientOSError as error:
                if not again or error.errno not in lost or time.monotonic() >= until:
                    raise
            await asyncio.sleep(_PAUSE)

    client.ClientSession._request = redirected


class _Finder(importlib.abc.MetaPathFinder):
    """Waits for aiohttp.client: a process that does not import it pays nothing."""

    def find_spec(self, name, path, target=None):
        if name != "aiohttp.client":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def loaded(module):
            load(module)
            _redirect(module, os.environ["CONTROL_GATEWAY"])

        spec.loader.exec_module = loaded
        return spec


if os.environ.get("CONTROL_GATEWAY"):
    sys.meta_path.insert(0, _Finder())

# The site's own, which this one hides.
_here = os.path.dirname(os.path.abspath(__file__))
for _folder in sys.path:
    _file = os.path.join(_folder or ".", "sitecustomize.py")
    if os.path.abspath(_folder or ".") != _here and os.path.isfile(_file):
        _spec = importlib.util.spec_from_file_location("_site_sitecustomize", _file)
        _spec.loader.exec_module(importlib.util.module_from_spec(_spec))
        break
