-- The structure of the reference server's file (spec: vcmi-lobby2 8): one that is there already is used as it is.
CREATE TABLE IF NOT EXISTS accounts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    accountID TEXT,
    displayName TEXT,
    online INTEGER NOT NULL DEFAULT 0,
    lastLoginTime TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL,
    creationTime TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
);
CREATE TABLE IF NOT EXISTS accountCookies (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    accountID TEXT,
    cookieUUID TEXT,
    creationTime TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
);
CREATE TABLE IF NOT EXISTS chatMessages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    senderName TEXT,
    channelType TEXT,
    channelName TEXT,
    messageText TEXT,
    creationTime TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
);
CREATE TABLE IF NOT EXISTS gameRooms (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    roomID TEXT,
    version TEXT NOT NULL DEFAULT '',
    hostAccountID TEXT,
    description TEXT NOT NULL DEFAULT '',
    status INTEGER NOT NULL DEFAULT 0,
    playerLimit INTEGER NOT NULL DEFAULT 8,
    creationTime TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
);
CREATE TABLE IF NOT EXISTS gameRoomPlayers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    roomID TEXT,
    accountID TEXT
);
CREATE TABLE IF NOT EXISTS gameRoomInvites (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    roomID TEXT,
    accountID TEXT
);
CREATE TABLE IF NOT EXISTS gameRoomMods (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    roomID TEXT,
    modID TEXT,
    modName TEXT,
    modVersion TEXT
);
CREATE INDEX IF NOT EXISTS muster_accounts_online ON accounts (online);
CREATE INDEX IF NOT EXISTS muster_accounts_account ON accounts (accountID);
CREATE INDEX IF NOT EXISTS muster_accounts_name ON accounts (displayName COLLATE NOCASE);
CREATE INDEX IF NOT EXISTS muster_accounts_login ON accounts (lastLoginTime);
CREATE INDEX IF NOT EXISTS muster_accounts_creation ON accounts (creationTime);
CREATE INDEX IF NOT EXISTS muster_cookies_account ON accountCookies (accountID);
CREATE INDEX IF NOT EXISTS muster_chat_creation ON chatMessages (creationTime);
CREATE INDEX IF NOT EXISTS muster_chat_channel ON chatMessages (channelType, channelName);
CREATE INDEX IF NOT EXISTS muster_rooms_room ON gameRooms (roomID);
CREATE INDEX IF NOT EXISTS muster_rooms_status ON gameRooms (status);
CREATE INDEX IF NOT EXISTS muster_players_room ON gameRoomPlayers (roomID);
CREATE INDEX IF NOT EXISTS muster_players_account ON gameRoomPlayers (accountID);
CREATE INDEX IF NOT EXISTS muster_invites_room ON gameRoomInvites (roomID);
CREATE INDEX IF NOT EXISTS muster_invites_account ON gameRoomInvites (accountID);
CREATE INDEX IF NOT EXISTS muster_mods_room ON gameRoomMods (roomID);
