-- The embedded store, step 1: everything of spec faf-database sections 2 and 3.
-- Times are text `YYYY-MM-DD HH:MM:SS` in UTC. Text that is compared by name ignores case, as the shared schema does.

CREATE TABLE avatars_list (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    filename TEXT NOT NULL UNIQUE COLLATE NOCASE,
    tooltip TEXT,
    url TEXT GENERATED ALWAYS AS ('https://content.faforever.com/faf/avatars/' || filename) VIRTUAL,
    create_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    update_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE login (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    login TEXT NOT NULL UNIQUE COLLATE NOCASE,
    password TEXT NOT NULL,
    email TEXT NOT NULL UNIQUE COLLATE NOCASE,
    ip TEXT,
    user_agent TEXT,
    last_login TEXT,
    avatar_id INTEGER REFERENCES avatars_list (id) ON DELETE SET NULL,
    create_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    update_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE ban (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    player_id INTEGER NOT NULL REFERENCES login (id),
    author_id INTEGER NOT NULL REFERENCES login (id),
    reason TEXT NOT NULL,
    expires_at TEXT,
    level TEXT NOT NULL CHECK (level IN ('CHAT', 'GLOBAL', 'VAULT')),
    revoke_reason TEXT,
    revoke_author_id INTEGER REFERENCES login (id),
    revoke_time TEXT,
    report_id INTEGER,
    create_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    update_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX ban_player ON ban (player_id);

CREATE TABLE uniqueid_exempt (
    user_id INTEGER PRIMARY KEY REFERENCES login (id),
    reason TEXT NOT NULL
);

CREATE TABLE friends_and_foes (
    user_id INTEGER NOT NULL REFERENCES login (id),
    subject_id INTEGER NOT NULL REFERENCES login (id),
    status TEXT NOT NULL CHECK (status IN ('FRIEND', 'FOE')),
    create_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    update_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (user_id, subject_id),
    CHECK (user_id <> subject_id)
);

CREATE TABLE avatars (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    idUser INTEGER NOT NULL REFERENCES login (id),
    idAvatar INTEGER NOT NULL REFERENCES avatars_list (id),
    selected INTEGER NOT NULL DEFAULT 0,
    expires_at TEXT,
    create_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    update_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (idUser, idAvatar)
);

CREATE TABLE clan (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    tag TEXT NOT NULL UNIQUE COLLATE NOCASE,
    founder_id INTEGER REFERENCES login (id),
    leader_id INTEGER REFERENCES login (id),
    description TEXT,
    tag_color TEXT,
    create_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    update_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE clan_membership (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    clan_id INTEGER NOT NULL REFERENCES clan (id),
    player_id INTEGER NOT NULL UNIQUE REFERENCES login (id),
    create_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    update_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE user_group (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    technical_name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    public INTEGER NOT NULL,
    name_key TEXT NOT NULL,
    parent_group_id INTEGER REFERENCES user_group (id),
    create_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    update_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE user_group_assignment (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL REFERENCES login (id),
    group_id INTEGER NOT NULL REFERENCES user_group (id),
    create_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    update_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (user_id, group_id)
);

CREATE TABLE group_permission (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    technical_name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    name_key TEXT NOT NULL,
    create_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    update_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE group_permission_assignment (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id INTEGER NOT NULL REFERENCES user_group (id),
    permission_id INTEGER NOT NULL REFERENCES group_permission (id),
    create_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    update_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (group_id, permission_id)
);

CREATE TABLE game_featuredMods (
    id INTEGER PRIMARY KEY,
    gamemod TEXT NOT NULL UNIQUE COLLATE NOCASE,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    publish INTEGER NOT NULL DEFAULT 0,
    "order" INTEGER NOT NULL DEFAULT 0,
    git_url TEXT,
    git_branch TEXT,
    file_extension TEXT,
    allow_override INTEGER
);

CREATE TABLE game_validity (
    id INTEGER PRIMARY KEY,
    message TEXT NOT NULL
);

CREATE TABLE map (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    display_name TEXT NOT NULL,
    map_type TEXT NOT NULL,
    battle_type TEXT NOT NULL,
    author INTEGER REFERENCES login (id),
    create_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    update_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE map_version (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    description TEXT,
    max_players INTEGER NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    version INTEGER NOT NULL,
    filename TEXT NOT NULL UNIQUE COLLATE NOCASE,
    ranked INTEGER NOT NULL DEFAULT 1,
    hidden INTEGER NOT NULL DEFAULT 0,
    map_id INTEGER NOT NULL REFERENCES map (id),
    create_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    update_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE "mod" (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    display_name TEXT NOT NULL,
    author TEXT NOT NULL,
    create_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    update_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE mod_version (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    mod_id INTEGER NOT NULL REFERENCES "mod" (id),
    uid TEXT NOT NULL UNIQUE COLLATE NOCASE,
    version INTEGER NOT NULL,
    description TEXT NOT NULL,
    type TEXT NOT NULL CHECK (type IN ('UI', 'SIM')),
    filename TEXT NOT NULL,
    icon TEXT,
    ranked INTEGER NOT NULL DEFAULT 0,
    hidden INTEGER NOT NULL DEFAULT 0,
    create_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    update_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE mod_stats (
    mod_id INTEGER PRIMARY KEY REFERENCES "mod" (id),
    times_played INTEGER NOT NULL DEFAULT 0,
    likes REAL NOT NULL DEFAULT 0,
    likers TEXT NOT NULL,
    downloads INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE game_stats (
    id INTEGER PRIMARY KEY,
    startTime TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    endTime TEXT,
    gameType TEXT NOT NULL
        CHECK (gameType IN ('DEMORALIZATION', 'DOMINATION', 'ERADICATION', 'SANDBOX', 'DECAPITATION')),
    gameMod INTEGER NOT NULL REFERENCES game_featuredMods (id),
    host INTEGER NOT NULL REFERENCES login (id),
    mapId INTEGER REFERENCES map_version (id),
    gameName TEXT NOT NULL,
    validity INTEGER NOT NULL REFERENCES game_validity (id),
    replay_ticks INTEGER,
    replay_available INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE game_player_stats (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    gameId INTEGER NOT NULL REFERENCES game_stats (id),
    playerId INTEGER NOT NULL REFERENCES login (id),
    AI INTEGER NOT NULL,
    faction INTEGER NOT NULL,
    color INTEGER NOT NULL,
    team INTEGER NOT NULL,
    place INTEGER NOT NULL,
    mean REAL NOT NULL,
    deviation REAL NOT NULL,
    after_mean REAL,
    after_deviation REAL,
    score INTEGER CHECK (score BETWEEN -128 AND 127),
    scoreTime TEXT,
    result TEXT NOT NULL DEFAULT 'UNKNOWN'
        CHECK (result IN ('VICTORY', 'DEFEAT', 'DRAW', 'MUTUAL_DRAW', 'UNKNOWN', 'CONFLICTING'))
);
CREATE INDEX game_player_stats_game ON game_player_stats (gameId, playerId);
CREATE INDEX game_player_stats_player ON game_player_stats (playerId);

CREATE TABLE teamkills (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    teamkiller INTEGER NOT NULL REFERENCES login (id),
    victim INTEGER NOT NULL REFERENCES login (id),
    game_id INTEGER NOT NULL REFERENCES game_stats (id),
    gametime INTEGER NOT NULL
);

CREATE TABLE game_join_log (
    player_id INTEGER NOT NULL,
    game_id INTEGER NOT NULL,
    create_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    ip TEXT
);
CREATE INDEX game_join_log_game ON game_join_log (game_id, player_id);
CREATE INDEX game_join_log_ip ON game_join_log (ip, player_id);

CREATE TABLE game_desync (
    game_id INTEGER NOT NULL,
    player_id INTEGER NOT NULL,
    reported_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    game_time INTEGER,
    PRIMARY KEY (game_id, player_id)
);

CREATE TABLE coop_map (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    type INTEGER NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    version INTEGER NOT NULL,
    filename TEXT NOT NULL UNIQUE COLLATE NOCASE
);

CREATE TABLE coop_leaderboard (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    mission INTEGER NOT NULL,
    gameuid INTEGER NOT NULL UNIQUE REFERENCES game_stats (id),
    secondary INTEGER NOT NULL,
    time TEXT NOT NULL,
    player_count INTEGER NOT NULL
);

CREATE TABLE leaderboard (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    technical_name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    name_key TEXT NOT NULL,
    description_key TEXT NOT NULL,
    initializer_id INTEGER REFERENCES leaderboard (id),
    create_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    update_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE leaderboard_rating (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    login_id INTEGER NOT NULL REFERENCES login (id),
    leaderboard_id INTEGER NOT NULL REFERENCES leaderboard (id),
    mean REAL NOT NULL,
    deviation REAL NOT NULL,
    total_games INTEGER NOT NULL DEFAULT 0,
    won_games INTEGER NOT NULL DEFAULT 0,
    rating REAL GENERATED ALWAYS AS (mean - 3 * deviation) VIRTUAL,
    create_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    update_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (login_id, leaderboard_id)
);

CREATE TABLE leaderboard_rating_journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    game_player_stats_id INTEGER NOT NULL REFERENCES game_player_stats (id),
    leaderboard_id INTEGER NOT NULL REFERENCES leaderboard (id),
    rating_mean_before REAL NOT NULL,
    rating_mean_after REAL NOT NULL,
    rating_deviation_before REAL NOT NULL,
    rating_deviation_after REAL NOT NULL,
    create_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    update_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX leaderboard_rating_journal_board ON leaderboard_rating_journal (leaderboard_id, id);

CREATE TABLE matchmaker_queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    technical_name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    featured_mod_id INTEGER NOT NULL REFERENCES game_featuredMods (id),
    leaderboard_id INTEGER NOT NULL REFERENCES leaderboard (id),
    name_key TEXT NOT NULL,
    team_size INTEGER NOT NULL DEFAULT 1,
    params TEXT,
    enabled INTEGER NOT NULL DEFAULT 1,
    create_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    update_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE map_pool (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    create_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    update_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE map_pool_map_version (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    map_pool_id INTEGER NOT NULL REFERENCES map_pool (id),
    map_version_id INTEGER REFERENCES map_version (id),
    weight INTEGER NOT NULL DEFAULT 1,
    map_params TEXT,
    create_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    update_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE matchmaker_queue_map_pool (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    matchmaker_queue_id INTEGER NOT NULL REFERENCES matchmaker_queue (id),
    map_pool_id INTEGER NOT NULL REFERENCES map_pool (id),
    min_rating INTEGER,
    max_rating INTEGER,
    veto_tokens_per_player INTEGER NOT NULL DEFAULT 0,
    max_tokens_per_map INTEGER NOT NULL DEFAULT 0,
    minimum_maps_after_veto REAL NOT NULL DEFAULT 1,
    create_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    update_time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE matchmaker_queue_game (
    matchmaker_queue_id INTEGER NOT NULL REFERENCES matchmaker_queue (id),
    game_stats_id INTEGER NOT NULL REFERENCES game_stats (id),
    PRIMARY KEY (game_stats_id, matchmaker_queue_id)
);

CREATE VIEW lobby_ban (idUser, reason, expires_at) AS
    SELECT player_id, reason, COALESCE(revoke_time, expires_at, '2999-12-31 00:00:00')
    FROM ban WHERE level = 'GLOBAL';

CREATE VIEW table_mod
    (id, uid, name, version, author, ui, date, downloads, likes, played, description, likers, filename, icon, ranked) AS
    SELECT v.id, v.uid, m.display_name, v.version, m.author, CASE v.type WHEN 'UI' THEN 1 ELSE 0 END, v.create_time,
           COALESCE(s.downloads, 0), COALESCE(s.likes, 0), COALESCE(s.times_played, 0), v.description, s.likers,
           v.filename, v.icon, v.ranked
    FROM mod_version v JOIN "mod" m ON m.id = v.mod_id LEFT JOIN mod_stats s ON s.mod_id = m.id
    WHERE v.hidden = 0;
