PRAGMA application_id = 1383033964;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE event (
        seq         INTEGER PRIMARY KEY,
        message_id  TEXT NOT NULL UNIQUE,
        name        TEXT NOT NULL,
        endpoint    TEXT,             -- the only one it may go to; NULL: none was set yet
        slot        INTEGER,          -- which scheduled heartbeat this is: one is kept a number
        state       TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN
                    ('waiting', 'sent', 'rejected', 'dropped', 'exported', 'deleted')),
        payload     TEXT,             -- the exact text that is sent
        bytes       INTEGER NOT NULL,
        recorded_at TEXT NOT NULL,
        settled_at  TEXT,
        CHECK ((payload IS NULL) = (state = 'deleted')),
        CHECK ((settled_at IS NULL) = (state = 'waiting'))
    );
INSERT INTO event VALUES(1,'01a227b4-057b-7063-9279-dc3249121496','Installation Started',NULL,NULL,'waiting','{"type":"track","event":"Installation Started","anonymousId":"b80de997-fa9a-4621-b052-00ebf2289d11","messageId":"01a227b4-057b-7063-9279-dc3249121496","timestamp":"2026-11-29T14:27:19.036Z","context":{"library":{"name":"rollcall","version":"0.1.0"},"ip":"0.0.0.0","app":{"name":"Shop","version":"2.4.1"},"os":{"name":"debian","version":"12"},"installation":{"id":"05a4a553-38e0-4c9d-b2dd-3d3d3868840c"}},"integrations":{},"properties":{"os":"debian"}}',451,'2026-11-29T14:27:19.325Z',NULL);
INSERT INTO event VALUES(2,'01a227b4-057b-7802-bc27-d97eb0f2c71c','Installation Errors',NULL,NULL,'waiting','{"type":"track","event":"Installation Errors","anonymousId":"b80de997-fa9a-4621-b052-00ebf2289d11","messageId":"01a227b4-057b-7802-bc27-d97eb0f2c71c","timestamp":"2026-11-29T14:27:19.074Z","context":{"library":{"name":"rollcall","version":"0.1.0"},"ip":"0.0.0.0","app":{"name":"Shop","version":"2.4.1"},"os":{"name":"debian","version":"12"},"installation":{"id":"05a4a553-38e0-4c9d-b2dd-3d3d3868840c"}},"integrations":{},"properties":{"os":"debian","durationSeconds":0,"reason":"exit","exitCode":3}}',499,'2026-11-29T14:27:19.373Z',NULL);
INSERT INTO event VALUES(3,'01a227b4-07c3-713b-a97d-5320ae7ab59e','Instance Active',NULL,NULL,'waiting','{"type":"track","event":"Instance Active","anonymousId":"b80de997-fa9a-4621-b052-00ebf2289d11","messageId":"01a227b4-07c3-713b-a97d-5320ae7ab59e","timestamp":"2026-11-29T14:27:19.620Z","context":{"library":{"name":"rollcall","version":"0.1.0"},"ip":"0.0.0.0"},"integrations":{},"properties":{"instanceId":"b80de997-fa9a-4621-b052-00ebf2289d11"}}',345,'2026-11-29T14:27:19.620Z',NULL);
INSERT INTO event VALUES(4,'01a227b4-0951-759a-bc28-cffca8477d24','Used',NULL,NULL,'waiting','{"type":"track","event":"Used","anonymousId":"b80de997-fa9a-4621-b052-00ebf2289d11","messageId":"01a227b4-0951-759a-bc28-cffca8477d24","timestamp":"2026-11-29T14:27:20.018Z","context":{"library":{"name":"rollcall","version":"0.1.0"},"ip":"0.0.0.0","app":{"name":"Shop","version":"2.4.1"},"os":{"name":"debian","version":"12"}},"integrations":{},"properties":{}}',361,'2026-11-29T14:27:20.018Z',NULL);
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE delivery (           -- endpoints whose last answer was a failure
        endpoint TEXT PRIMARY KEY,
        failures INTEGER NOT NULL,
        next_try REAL NOT NULL,
        error    TEXT NOT NULL,
        since    TEXT NOT NULL
    );
CREATE INDEX event_waiting ON event (seq, bytes) WHERE state = 'waiting';
CREATE INDEX event_settled ON event (settled_at, bytes) WHERE state <> 'waiting';
CREATE UNIQUE INDEX event_slot ON event (slot) WHERE slot IS NOT NULL;
COMMIT;
