package messages

// MayBeLost, embedded in a message, declares that its receiver may not exist, or no longer: then
// the message is dropped without a line in the log.
type MayBeLost struct{}

// IgnoreDeadLetterLogging implements protoactor's interface of such messages.
func (MayBeLost) IgnoreDeadLetterLogging() {}
