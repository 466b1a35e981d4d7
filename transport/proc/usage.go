package proc

import "time"

// Used holds the resources that a process has used, or uses now.
type Used struct {
	Age      time.Duration // since its start
	CPU      time.Duration // user and system, since its start
	Resident int64         // bytes
}
