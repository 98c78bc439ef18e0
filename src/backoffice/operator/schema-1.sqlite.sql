-- What operators have done, and tried to do.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL, -- Unix seconds
    uid INTEGER, -- who, over the control socket
    token TEXT, -- who, over HTTP
    address TEXT, -- from where, over HTTP
    action TEXT NOT NULL,
    target TEXT NOT NULL, -- on whom or what; empty: the server
    reason TEXT NOT NULL,
    outcome TEXT NOT NULL, -- done or refused
    said TEXT NOT NULL,
    times INTEGER NOT NULL, -- how often, of what is summed
    by_operator INTEGER NOT NULL -- 0: what strangers have tried
);
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_by ON audit (by_operator, id);

-- What keeps somebody out, or silent, for lobbies that have no store of their own for that.
CREATE TABLE sanction (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL, -- network, name or mute
    lobby TEXT NOT NULL, -- of a network empty: all of them
    target TEXT NOT NULL COLLATE NOCASE,
    reason TEXT NOT NULL,
    since REAL NOT NULL,
    until REAL, -- none: for good
    uid INTEGER,
    UNIQUE (kind, lobby, target)
);
