// Package master is MASTER: it divides the shards of one bot over its CONTROLs and orders who may identify.
//
//	fleet           asks Discord, admits CONTROLs, places ranges     asking → gathering → serving
//	├─ governor     one permit a bucket per 5 s for the whole fleet
//	└─ machine-<n>  one link: liveness, what the CONTROL says of itself
//
// It keeps nothing that its CONTROLs cannot tell it again: what they say they serve is the truth, and orders follow from it.
package master
