-- The embedded store of the Cockatrice lobby, step 1: the tables of spec cockatrice-behaviour 16, by the same names as in the
-- reference's schema, so that one text of a statement serves both. Times are text `YYYY-MM-DD HH:MM:SS` in UTC. Names of
-- accounts ignore case. Texts may hold U+0000.

CREATE TABLE cockatrice_users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    admin INTEGER NOT NULL DEFAULT 0,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    realname TEXT NOT NULL DEFAULT '',
    password_sha512 TEXT NOT NULL DEFAULT '',
    email TEXT NOT NULL DEFAULT '' COLLATE NOCASE,
    country TEXT NOT NULL DEFAULT '',
    avatar_bmp BLOB,
    registrationDate TEXT NOT NULL,
    active INTEGER NOT NULL DEFAULT 1,
    token TEXT,
    clientid TEXT NOT NULL DEFAULT '',
    adminnotes TEXT NOT NULL DEFAULT '',
    privlevel TEXT NOT NULL DEFAULT 'NONE',
    passwordLastChangedDate TEXT,
    force_password_change INTEGER NOT NULL DEFAULT 0,
    leftPawnColorOverride TEXT,
    rightPawnColorOverride TEXT,
    card_art_params TEXT
);
CREATE INDEX cockatrice_users_email ON cockatrice_users (email);
CREATE INDEX cockatrice_users_clientid ON cockatrice_users (clientid);

CREATE TABLE cockatrice_buddylist (
    id_user1 INTEGER NOT NULL,
    id_user2 INTEGER NOT NULL,
    PRIMARY KEY (id_user1, id_user2)
);

CREATE TABLE cockatrice_ignorelist (
    id_user1 INTEGER NOT NULL,
    id_user2 INTEGER NOT NULL,
    PRIMARY KEY (id_user1, id_user2)
);

CREATE TABLE cockatrice_decklist_folders (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    id_parent INTEGER NOT NULL,
    id_user INTEGER NOT NULL,
    name TEXT NOT NULL
);
CREATE INDEX cockatrice_decklist_folders_user ON cockatrice_decklist_folders (id_user);

CREATE TABLE cockatrice_decklist_files (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    id_folder INTEGER NOT NULL,
    id_user INTEGER NOT NULL,
    name TEXT NOT NULL,
    upload_time TEXT NOT NULL,
    content TEXT NOT NULL
);
CREATE INDEX cockatrice_decklist_files_user ON cockatrice_decklist_files (id_user);

CREATE TABLE cockatrice_games (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    room_name TEXT NOT NULL,
    descr TEXT NOT NULL,
    creator_name TEXT NOT NULL,
    password INTEGER NOT NULL DEFAULT 0,
    game_types TEXT NOT NULL DEFAULT '',
    player_count INTEGER NOT NULL DEFAULT 0,
    time_started TEXT,
    time_finished TEXT
);

CREATE TABLE cockatrice_games_players (
    id_game INTEGER NOT NULL,
    player_name TEXT NOT NULL
);
CREATE INDEX cockatrice_games_players_game ON cockatrice_games_players (id_game);

CREATE TABLE cockatrice_replays (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    id_game INTEGER,
    duration INTEGER NOT NULL DEFAULT 0,
    replay BLOB
);
CREATE INDEX cockatrice_replays_game ON cockatrice_replays (id_game);

CREATE TABLE cockatrice_replays_access (
    id_game INTEGER NOT NULL,
    id_player INTEGER NOT NULL,
    replay_name TEXT NOT NULL,
    do_not_hide INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX cockatrice_replays_access_player ON cockatrice_replays_access (id_player);
CREATE INDEX cockatrice_replays_access_game ON cockatrice_replays_access (id_game);

CREATE TABLE cockatrice_sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_name TEXT NOT NULL COLLATE NOCASE,
    id_server INTEGER NOT NULL,
    ip_address TEXT NOT NULL,
    start_time TEXT NOT NULL,
    end_time TEXT,
    clientid TEXT NOT NULL DEFAULT '',
    connection_type TEXT NOT NULL
);
CREATE INDEX cockatrice_sessions_user ON cockatrice_sessions (user_name);
CREATE INDEX cockatrice_sessions_address ON cockatrice_sessions (ip_address);
CREATE INDEX cockatrice_sessions_open ON cockatrice_sessions (id_server) WHERE end_time IS NULL;

CREATE TABLE cockatrice_bans (
    user_name TEXT NOT NULL COLLATE NOCASE,
    ip_address TEXT NOT NULL,
    id_admin INTEGER NOT NULL,
    time_from TEXT NOT NULL,
    minutes INTEGER NOT NULL,
    reason TEXT NOT NULL,
    visible_reason TEXT NOT NULL,
    clientid TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (user_name, time_from)
);
CREATE INDEX cockatrice_bans_address ON cockatrice_bans (ip_address);
CREATE INDEX cockatrice_bans_clientid ON cockatrice_bans (clientid);

CREATE TABLE cockatrice_warnings (
    user_id INTEGER NOT NULL,
    user_name TEXT NOT NULL COLLATE NOCASE,
    mod_name TEXT NOT NULL,
    reason TEXT NOT NULL,
    time_of TEXT NOT NULL,
    clientid TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (user_id, time_of)
);

CREATE TABLE cockatrice_reports (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    reporter_name TEXT NOT NULL COLLATE NOCASE,
    reported_user_name TEXT NOT NULL COLLATE NOCASE,
    game_id INTEGER,
    room_id INTEGER,
    category TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'open',
    description TEXT NOT NULL,
    chat_log TEXT NOT NULL,
    report_time TEXT NOT NULL,
    assigned_mod_name TEXT COLLATE NOCASE,
    resolution_time TEXT,
    resolution_note TEXT,
    reporter_notified INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX cockatrice_reports_reporter ON cockatrice_reports (reporter_name);
CREATE INDEX cockatrice_reports_reported ON cockatrice_reports (reported_user_name);

CREATE TABLE cockatrice_report_comments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    report_id INTEGER NOT NULL,
    author_name TEXT NOT NULL COLLATE NOCASE,
    comment_text TEXT NOT NULL,
    comment_time TEXT NOT NULL,
    is_moderator INTEGER NOT NULL DEFAULT 0,
    reporter_notified INTEGER NOT NULL DEFAULT 1,
    assignee_notified INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX cockatrice_report_comments_report ON cockatrice_report_comments (report_id);

CREATE TABLE cockatrice_log (
    log_time TEXT NOT NULL,
    sender_id INTEGER,
    sender_name TEXT NOT NULL COLLATE NOCASE,
    sender_ip TEXT NOT NULL,
    message TEXT NOT NULL,
    target_type TEXT NOT NULL,
    target_id INTEGER,
    target_name TEXT NOT NULL COLLATE NOCASE
);
CREATE INDEX cockatrice_log_sender ON cockatrice_log (sender_name);
CREATE INDEX cockatrice_log_address ON cockatrice_log (sender_ip);
CREATE INDEX cockatrice_log_target ON cockatrice_log (target_id);
CREATE INDEX cockatrice_log_target_name ON cockatrice_log (target_name);

CREATE TABLE cockatrice_audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    id_server INTEGER NOT NULL,
    name TEXT NOT NULL,
    ip_address TEXT NOT NULL,
    clientid TEXT NOT NULL,
    incidentDate TEXT NOT NULL,
    action TEXT NOT NULL,
    results TEXT NOT NULL,
    details TEXT NOT NULL
);

CREATE TABLE cockatrice_activation_emails (
    name TEXT NOT NULL COLLATE NOCASE
);

CREATE TABLE cockatrice_forgot_password (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL COLLATE NOCASE,
    requestDate TEXT NOT NULL,
    emailed INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE cockatrice_user_analytics (
    id INTEGER PRIMARY KEY,
    client_ver TEXT NOT NULL,
    last_login TEXT NOT NULL
);

CREATE TABLE cockatrice_servermessages (
    id_server INTEGER NOT NULL,
    timest TEXT NOT NULL,
    message TEXT NOT NULL
);

CREATE TABLE cockatrice_card_art_name_rules (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    card_name TEXT NOT NULL,
    card_provider_id TEXT NOT NULL,
    mode TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_by TEXT NOT NULL,
    UNIQUE (card_provider_id, card_name)
);
