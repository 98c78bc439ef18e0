-- What an open lobby begins with, so that games are rated and queues run without anybody's database: the names the
-- specification knows, and the maps every copy of the game has. Numbers of players and sizes of maps are not used.

INSERT OR IGNORE INTO game_validity (id, message) VALUES
    (0, 'VALID'), (1, 'TOO_MANY_DESYNCS'), (2, 'WRONG_VICTORY_CONDITION'), (3, 'NO_FOG_OF_WAR'), (4, 'CHEATS_ENABLED'),
    (5, 'PREBUILT_ENABLED'), (6, 'NORUSH_ENABLED'), (7, 'BAD_UNIT_RESTRICTIONS'), (8, 'BAD_MAP'), (9, 'TOO_SHORT'),
    (10, 'BAD_MOD'), (11, 'COOP_NOT_RANKED'), (12, 'MUTUAL_DRAW'), (13, 'SINGLE_PLAYER'), (14, 'FFA_NOT_RANKED'),
    (15, 'UNEVEN_TEAMS_NOT_RANKED'), (16, 'UNKNOWN_RESULT'), (17, 'UNLOCKED_TEAMS'), (18, 'MULTI_TEAM'),
    (19, 'HAS_AI_PLAYERS'), (20, 'CIVILIANS_REVEALED'), (21, 'WRONG_DIFFICULTY'), (22, 'EXPANSION_DISABLED'),
    (23, 'SPAWN_NOT_FIXED'), (24, 'OTHER_UNRANK'), (25, 'HOST_SET_UNRANKED');

INSERT OR IGNORE INTO game_featuredMods (id, gamemod, name, description, publish) VALUES
    (1, 'faf', 'FAF', '', 1),
    (6, 'ladder1v1', 'Ladder', '', 1),
    (25, 'coop', 'Coop', '', 1);

INSERT INTO leaderboard (id, technical_name, name_key, description_key, initializer_id) VALUES
    (1, 'global', 'leaderboard.global.name', 'leaderboard.global.desc', NULL),
    (2, 'ladder_1v1', 'leaderboard.ladder_1v1.name', 'leaderboard.ladder_1v1.desc', NULL),
    (3, 'tmm_2v2', 'leaderboard.tmm_2v2.name', 'leaderboard.tmm_2v2.desc', 1),
    (4, 'tmm_4v4', 'leaderboard.tmm_4v4.name', 'leaderboard.tmm_4v4.desc', 3);

INSERT INTO map (id, display_name, map_type, battle_type)
    WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 40)
    SELECT n, printf('SCMP_%03d', n), 'FFA', 'skirmish' FROM number;
INSERT INTO map_version (id, max_players, width, height, version, filename, ranked, map_id)
    SELECT id, 0, 0, 0, 1, printf('maps/scmp_%03d.zip', id), 1, id FROM map;

INSERT INTO map_pool (id, name) VALUES (1, 'Maps of the game');
INSERT INTO map_pool_map_version (map_pool_id, map_version_id) SELECT 1, id FROM map_version;

INSERT INTO matchmaker_queue (id, technical_name, featured_mod_id, leaderboard_id, name_key, team_size) VALUES
    (1, 'ladder1v1', 6, 2, 'matchmaker.ladder1v1', 1),
    (2, 'tmm2v2', 1, 3, 'matchmaker.tmm2v2', 2),
    (3, 'tmm4v4', 1, 4, 'matchmaker.tmm4v4', 4);
INSERT INTO matchmaker_queue_map_pool (matchmaker_queue_id, map_pool_id) SELECT id, 1 FROM matchmaker_queue;
