package ipc

// field is a key of a packet's data that CONTROL or the SDK reads. All others belong to the bots.
type field int

const (
	fieldEvent field = iota
	fieldShards
	fieldShardIDs
	fieldShard
	fieldOp
	fieldSerialize
	fieldScript
	fieldName
	fieldResult
	fieldMembers
	fieldSuccess
	fieldTimeout
	fieldBlockUntil
	fieldMessage
	fieldData
	fieldFrom
	fieldClusters
	fieldErrors
	fieldFailFast
	fieldsN // their number
)

// fieldOf returns the field of a key; ok is false for any other key.
func fieldOf(key []byte) (f field, ok bool) {
	switch string(key) {
	case "event_id":
		return fieldEvent, true
	case "shards":
		return fieldShards, true
	case "shard_ids":
		return fieldShardIDs, true
	case "shard_id":
		return fieldShard, true
	case "op":
		return fieldOp, true
	case "serialize":
		return fieldSerialize, true
	case "script":
		return fieldScript, true
	case "name":
		return fieldName, true
	case "result":
		return fieldResult, true
	case "members":
		return fieldMembers, true
	case "success":
		return fieldSuccess, true
	case "timeout_ms":
		return fieldTimeout, true
	case "block_until":
		return fieldBlockUntil, true
	case "message":
		return fieldMessage, true
	case "data":
		return fieldData, true
	case "from":
		return fieldFrom, true
	case "clusters":
		return fieldClusters, true
	case "errors":
		return fieldErrors, true
	case "fail_fast":
		return fieldFailFast, true
	}
	return 0, false
}
