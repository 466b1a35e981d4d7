package cache

// Limits sets the limits of what is kept beside closed guilds, and returns how to set them back.
func Limits(open, bytes, users, posts int) (back func()) {
	o, b, u, p := openMax, openBytes, usersMax, postsMax
	openMax, openBytes, usersMax, postsMax = open, bytes, users, posts
	return func() { openMax, openBytes, usersMax, postsMax = o, b, u, p }
}
