package guilds

// UserObject is a user (resources/user). The bot's own has more fields: see Self.
type UserObject struct {
	ID            string  `json:"id"`
	Username      string  `json:"username"`
	Discriminator string  `json:"discriminator"`
	GlobalName    *string `json:"global_name"`
	Avatar        *string `json:"avatar"`
	Banner        *string `json:"banner"`
	AccentColor   *int    `json:"accent_color"`
	Decoration    *string `json:"avatar_decoration_data"`
	Bot           bool    `json:"bot"`
	PublicFlags   int     `json:"public_flags"`
}

// SelfObject is the bot's own user, as READY and /users/@me have it.
type SelfObject struct {
	UserObject
	Verified   bool    `json:"verified"`
	MFAEnabled bool    `json:"mfa_enabled"`
	Email      *string `json:"email"`
	Flags      int     `json:"flags"`
}

// BotName is the username of the bot, and the name of its application.
const BotName = "simulated"

// Self returns the bot's own user.
func Self() SelfObject {
	return SelfObject{UserObject: userObject(Bot, BotName, true), Verified: true, MFAEnabled: true}
}

// Owner returns the user that owns the application; it is a member of no guild.
func Owner() UserObject { return userObject(1, "user 1", false) }

func userObject(id uint64, name string, bot bool) UserObject {
	return UserObject{ID: Text(id), Username: name, Discriminator: "0000", Bot: bot}
}

// Member is a guild member (resources/guild, "Guild Member Object").
type Member struct {
	User                       *UserObject `json:"user,omitempty"` // missing in messages
	Nick                       *string     `json:"nick"`
	Avatar                     *string     `json:"avatar"`
	Banner                     *string     `json:"banner"`
	Roles                      []string    `json:"roles"`
	JoinedAt                   string      `json:"joined_at"`
	PremiumSince               *string     `json:"premium_since"`
	Deaf                       bool        `json:"deaf"`
	Mute                       bool        `json:"mute"`
	Flags                      int         `json:"flags"`
	Pending                    bool        `json:"pending"`
	CommunicationDisabledUntil *string     `json:"communication_disabled_until"`
}

// Role is a role (topics/permissions, "Role Object").
type Role struct {
	ID           string  `json:"id"`
	Name         string  `json:"name"`
	Color        int     `json:"color"`
	Colors       Colors  `json:"colors"`
	Hoist        bool    `json:"hoist"`
	Icon         *string `json:"icon"`
	UnicodeEmoji *string `json:"unicode_emoji"`
	Position     int     `json:"position"`
	Permissions  string  `json:"permissions"`
	Managed      bool    `json:"managed"`
	Mentionable  bool    `json:"mentionable"`
	Flags        int     `json:"flags"`
}

// Colors are the colors of a role.
type Colors struct {
	Primary   int  `json:"primary_color"`
	Secondary *int `json:"secondary_color"`
	Tertiary  *int `json:"tertiary_color"`
}

// Channel is a category, text or voice channel of a guild (resources/channel). In GUILD_CREATE it
// has no guild_id.
type Channel struct {
	ID                   string     `json:"id"`
	Type                 int        `json:"type"`
	GuildID              string     `json:"guild_id,omitempty"`
	Name                 string     `json:"name"`
	Position             int        `json:"position"`
	ParentID             *string    `json:"parent_id"`
	PermissionOverwrites []struct{} `json:"permission_overwrites"`
	NSFW                 bool       `json:"nsfw"`
	Topic                *string    `json:"topic"`
	LastMessageID        *string    `json:"last_message_id"`
	LastPinTimestamp     *string    `json:"last_pin_timestamp"`
	RateLimitPerUser     int        `json:"rate_limit_per_user"`
	Bitrate              int        `json:"bitrate,omitempty"`
	UserLimit            *int       `json:"user_limit,omitempty"`
	RTCRegion            *string    `json:"rtc_region"`
	Flags                int        `json:"flags"`
}

// Guild is a guild as REST has it (resources/guild, "Guild Object").
type Guild struct {
	ID                          string     `json:"id"`
	Name                        string     `json:"name"`
	Icon                        *string    `json:"icon"`
	Splash                      *string    `json:"splash"`
	DiscoverySplash             *string    `json:"discovery_splash"`
	Description                 *string    `json:"description"`
	Banner                      *string    `json:"banner"`
	OwnerID                     string     `json:"owner_id"`
	ApplicationID               *string    `json:"application_id"`
	Region                      string     `json:"region"`
	AFKChannelID                *string    `json:"afk_channel_id"`
	AFKTimeout                  int        `json:"afk_timeout"`
	WidgetEnabled               bool       `json:"widget_enabled"`
	WidgetChannelID             *string    `json:"widget_channel_id"`
	VerificationLevel           int        `json:"verification_level"`
	DefaultMessageNotifications int        `json:"default_message_notifications"`
	ExplicitContentFilter       int        `json:"explicit_content_filter"`
	MFALevel                    int        `json:"mfa_level"`
	NSFWLevel                   int        `json:"nsfw_level"`
	NSFW                        bool       `json:"nsfw"`
	Features                    []string   `json:"features"`
	SystemChannelID             *string    `json:"system_channel_id"`
	SystemChannelFlags          int        `json:"system_channel_flags"`
	RulesChannelID              *string    `json:"rules_channel_id"`
	PublicUpdatesChannelID      *string    `json:"public_updates_channel_id"`
	SafetyAlertsChannelID       *string    `json:"safety_alerts_channel_id"`
	MaxPresences                *int       `json:"max_presences"`
	MaxMembers                  int        `json:"max_members"`
	MaxVideoChannelUsers        int        `json:"max_video_channel_users"`
	MaxStageVideoChannelUsers   int        `json:"max_stage_video_channel_users"`
	VanityURLCode               *string    `json:"vanity_url_code"`
	PremiumTier                 int        `json:"premium_tier"`
	PremiumSubscriptionCount    int        `json:"premium_subscription_count"`
	PremiumProgressBarEnabled   bool       `json:"premium_progress_bar_enabled"`
	PreferredLocale             string     `json:"preferred_locale"`
	HubType                     *int       `json:"hub_type"`
	IncidentsData               *struct{}  `json:"incidents_data"`
	Roles                       []Role     `json:"roles"`
	Emojis                      []struct{} `json:"emojis"`
	Stickers                    []struct{} `json:"stickers"`
}

// Created is the "d" of a GUILD_CREATE: the guild, and the fields that only the gateway sends.
type Created struct {
	Guild
	Unavailable          bool         `json:"unavailable"`
	JoinedAt             string       `json:"joined_at"`
	Large                bool         `json:"large"`
	Lazy                 bool         `json:"lazy"`
	MemberCount          int          `json:"member_count"`
	Members              []Member     `json:"members"`
	Channels             []Channel    `json:"channels"`
	Threads              []struct{}   `json:"threads"`
	VoiceStates          []VoiceState `json:"voice_states"`
	Presences            []struct{}   `json:"presences"`
	StageInstances       []struct{}   `json:"stage_instances"`
	GuildScheduledEvents []struct{}   `json:"guild_scheduled_events"`
	SoundboardSounds     []struct{}   `json:"soundboard_sounds"`
}

// VoiceState is the voice channel of a user (resources/voice).
type VoiceState struct {
	GuildID                 string  `json:"guild_id,omitempty"` // missing in GUILD_CREATE
	ChannelID               *string `json:"channel_id"`
	UserID                  string  `json:"user_id"`
	Member                  *Member `json:"member,omitempty"` // missing in GUILD_CREATE
	SessionID               string  `json:"session_id"`
	Deaf                    bool    `json:"deaf"`
	Mute                    bool    `json:"mute"`
	SelfDeaf                bool    `json:"self_deaf"`
	SelfMute                bool    `json:"self_mute"`
	SelfVideo               bool    `json:"self_video"`
	Suppress                bool    `json:"suppress"`
	RequestToSpeakTimestamp *string `json:"request_to_speak_timestamp"`
}

// MessageObject is a message (resources/message); REST's has neither guild_id nor member.
type MessageObject struct {
	ID              string     `json:"id"`
	Type            int        `json:"type"`
	ChannelID       string     `json:"channel_id"`
	GuildID         string     `json:"guild_id,omitempty"`
	Author          UserObject `json:"author"`
	Member          *Member    `json:"member,omitempty"`
	Content         string     `json:"content"`
	Timestamp       string     `json:"timestamp"`
	EditedTimestamp *string    `json:"edited_timestamp"`
	TTS             bool       `json:"tts"`
	MentionEveryone bool       `json:"mention_everyone"`
	Mentions        []struct{} `json:"mentions"`
	MentionRoles    []struct{} `json:"mention_roles"`
	Attachments     []struct{} `json:"attachments"`
	Embeds          []any      `json:"embeds"`
	Components      []any      `json:"components"`
	Pinned          bool       `json:"pinned"`
	Flags           int        `json:"flags"`
	Nonce           any        `json:"nonce,omitempty"`
}
