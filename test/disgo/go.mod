module github.com/discluster/control/test/disgo

go 1.26.0

require (
	github.com/discluster/control v0.0.0
	github.com/disgoorg/disgo v0.19.6
)

require (
	github.com/disgoorg/json/v2 v2.0.0 // indirect
	github.com/disgoorg/omit v1.0.0 // indirect
	github.com/disgoorg/snowflake/v2 v2.0.3 // indirect
	github.com/gorilla/websocket v1.5.3 // indirect
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/sasha-s/go-csync v0.0.0-20240107134140-fcbab37b09ad // indirect
)

replace github.com/discluster/control => ../..
