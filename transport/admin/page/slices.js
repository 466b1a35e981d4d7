// Shows a long list in slices, one a frame, so that the page stays responsive.
const sliceMax = 20; // ms

// Slices calls one(list, i) for every item of the latest list. A list that replaces another
// continues where that one stopped, and then from the first item: each item has its turn.
export class Slices {
	constructor(one, now = () => performance.now(), frame = (f) => requestAnimationFrame(f)) {
		Object.assign(this, { one, now, frame, next: 0, left: 0, waiting: false });
	}

	show(list) {
		[this.list, this.left] = [list, list.length];
		if (!this.waiting) this.slice();
	}

	slice() {
		const began = this.now();
		this.waiting = false;
		while (this.left > 0) {
			if (this.next >= this.list.length) this.next = 0;
			this.left--;
			this.one(this.list, this.next++);
			if (this.left > 0 && this.now() - began > sliceMax) {
				this.waiting = true;
				return this.frame(() => this.slice());
			}
		}
		this.next = 0;
	}
}
