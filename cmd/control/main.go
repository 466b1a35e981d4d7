// Command control runs a large Discord bot: CONTROL, MASTER, the reference bot and a simulated
// Discord in one binary.
package main

import "github.com/discluster/control/cmd"

func main() { cmd.Main() }
