-- Step 2: a MariaDB or MySQL server compares every text without case (spec: cockatrice-behaviour 1), so whatever is looked up or counted
-- by what people have typed is compared so here as well: cards and printings of rules, kinds of reports, ids of installations, and
-- addresses of bans. (Names of accounts always were. Passwords and tokens are not looked up by.)

CREATE TABLE cockatrice_card_art_name_rules_new (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    card_name TEXT NOT NULL COLLATE NOCASE,
    card_provider_id TEXT NOT NULL COLLATE NOCASE,
    mode TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_by TEXT NOT NULL,
    UNIQUE (card_provider_id, card_name)
);
-- Of several about one card the newest counts.
INSERT OR REPLACE INTO cockatrice_card_art_name_rules_new (id, card_name, card_provider_id, mode, reason, created_by)
    SELECT id, card_name, card_provider_id, mode, reason, created_by FROM cockatrice_card_art_name_rules ORDER BY id;
DROP TABLE cockatrice_card_art_name_rules;
ALTER TABLE cockatrice_card_art_name_rules_new RENAME TO cockatrice_card_art_name_rules;

CREATE TABLE cockatrice_reports_new (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    reporter_name TEXT NOT NULL COLLATE NOCASE,
    reported_user_name TEXT NOT NULL COLLATE NOCASE,
    game_id INTEGER,
    room_id INTEGER,
    category TEXT NOT NULL COLLATE NOCASE,
    status TEXT NOT NULL DEFAULT 'open',
    description TEXT NOT NULL,
    chat_log TEXT NOT NULL,
    report_time TEXT NOT NULL,
    assigned_mod_name TEXT COLLATE NOCASE,
    resolution_time TEXT,
    resolution_note TEXT,
    reporter_notified INTEGER NOT NULL DEFAULT 1
);
INSERT INTO cockatrice_reports_new SELECT id, reporter_name, reported_user_name, game_id, room_id, category, status, description,
    chat_log, report_time, assigned_mod_name, resolution_time, resolution_note, reporter_notified FROM cockatrice_reports;
DROP TABLE cockatrice_reports;
ALTER TABLE cockatrice_reports_new RENAME TO cockatrice_reports;
CREATE INDEX cockatrice_reports_reporter ON cockatrice_reports (reporter_name);
CREATE INDEX cockatrice_reports_reported ON cockatrice_reports (reported_user_name);

CREATE TABLE cockatrice_bans_new (
    user_name TEXT NOT NULL COLLATE NOCASE,
    ip_address TEXT NOT NULL COLLATE NOCASE,
    id_admin INTEGER NOT NULL,
    time_from TEXT NOT NULL,
    minutes INTEGER NOT NULL,
    reason TEXT NOT NULL,
    visible_reason TEXT NOT NULL,
    clientid TEXT NOT NULL DEFAULT '' COLLATE NOCASE,
    PRIMARY KEY (user_name, time_from)
);
INSERT INTO cockatrice_bans_new SELECT user_name, ip_address, id_admin, time_from, minutes, reason, visible_reason, clientid
    FROM cockatrice_bans;
DROP TABLE cockatrice_bans;
ALTER TABLE cockatrice_bans_new RENAME TO cockatrice_bans;
CREATE INDEX cockatrice_bans_address ON cockatrice_bans (ip_address);
CREATE INDEX cockatrice_bans_clientid ON cockatrice_bans (clientid);

CREATE TABLE cockatrice_users_new (
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
    clientid TEXT NOT NULL DEFAULT '' COLLATE NOCASE,
    adminnotes TEXT NOT NULL DEFAULT '',
    privlevel TEXT NOT NULL DEFAULT 'NONE',
    passwordLastChangedDate TEXT,
    force_password_change INTEGER NOT NULL DEFAULT 0,
    leftPawnColorOverride TEXT,
    rightPawnColorOverride TEXT,
    card_art_params TEXT
);
INSERT INTO cockatrice_users_new SELECT id, admin, name, realname, password_sha512, email, country, avatar_bmp, registrationDate,
    active, token, clientid, adminnotes, privlevel, passwordLastChangedDate, force_password_change, leftPawnColorOverride,
    rightPawnColorOverride, card_art_params FROM cockatrice_users;
-- Ids of accounts that are gone are not given again.
DELETE FROM sqlite_sequence WHERE name = 'cockatrice_users_new';
INSERT INTO sqlite_sequence (name, seq) SELECT 'cockatrice_users_new', seq FROM sqlite_sequence WHERE name = 'cockatrice_users';
DROP TABLE cockatrice_users;
ALTER TABLE cockatrice_users_new RENAME TO cockatrice_users;
CREATE INDEX cockatrice_users_email ON cockatrice_users (email);
CREATE INDEX cockatrice_users_clientid ON cockatrice_users (clientid);
