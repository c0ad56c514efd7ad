BEGIN TRANSACTION;
CREATE TABLE ciphertexts (
	collection INTEGER NOT NULL, 
	item_id VARCHAR NOT NULL, 
	height INTEGER NOT NULL, 
	width INTEGER NOT NULL, 
	nonce BLOB NOT NULL, 
	pixels BLOB NOT NULL, 
	sealed BLOB NOT NULL, 
	checksum BLOB NOT NULL, 
	PRIMARY KEY (collection, item_id), 
	FOREIGN KEY(collection) REFERENCES collections (id)
);
CREATE TABLE collections (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	uuid VARCHAR(36) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	dimension INTEGER NOT NULL, 
	bits INTEGER NOT NULL, 
	profile VARCHAR NOT NULL, 
	index_choice VARCHAR(16) NOT NULL, 
	created_at_us BIGINT NOT NULL, 
	sequence BIGINT NOT NULL, 
	active_generation BIGINT, 
	shadow_generation BIGINT, 
	purge_horizon BIGINT NOT NULL, 
	checksum BLOB NOT NULL, 
	UNIQUE (uuid), 
	UNIQUE (name)
);
INSERT INTO "collections" VALUES(1,'1ee6300f-914c-4344-955e-93ffa6f11832','v','vector',2,0,'','auto',1795645712438315,3,1,NULL,0,X'934027E0B0476B07C91D60298C3E744B');
CREATE TABLE generations (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	collection INTEGER NOT NULL, 
	model_digest BLOB NOT NULL, 
	numeric_mode VARCHAR(64) NOT NULL, 
	key_fingerprint BLOB NOT NULL, 
	mask_id VARCHAR(64) NOT NULL, 
	dimension INTEGER NOT NULL, 
	checksum BLOB NOT NULL, 
	FOREIGN KEY(collection) REFERENCES collections (id)
);
INSERT INTO "generations" VALUES(1,1,X'','',X'','',2,X'CEBA15289C9783AEE1EF202D252092B4');
CREATE TABLE items (
	collection INTEGER NOT NULL, 
	item_id VARCHAR NOT NULL, 
	revision BIGINT NOT NULL, 
	sequence BIGINT NOT NULL, 
	deleted BOOLEAN NOT NULL, 
	owner_tag BLOB NOT NULL, 
	sealed_size BIGINT NOT NULL, 
	content_digest BLOB NOT NULL, 
	checksum BLOB NOT NULL, 
	PRIMARY KEY (collection, item_id), 
	UNIQUE (collection, sequence), 
	FOREIGN KEY(collection) REFERENCES collections (id)
);
INSERT INTO "items" VALUES(1,'gone',7,3,1,X'',0,X'',X'D84345A27F8265BBD5C6597DCE08B352');
INSERT INTO "items" VALUES(1,'kept',5,2,0,X'746167',0,X'DB93AD072F71E4167BABAA05CA3476C6',X'274F7128F83740D69842C55509A4811B');
CREATE TABLE models (
	digest BLOB NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	configuration VARCHAR NOT NULL, 
	created_at_us BIGINT NOT NULL, 
	checksum BLOB NOT NULL, 
	PRIMARY KEY (digest)
);
CREATE TABLE representations (
	generation INTEGER NOT NULL, 
	item_id VARCHAR NOT NULL, 
	sequence BIGINT NOT NULL, 
	data BLOB NOT NULL, 
	checksum BLOB NOT NULL, 
	PRIMARY KEY (generation, item_id), 
	FOREIGN KEY(generation) REFERENCES generations (id)
);
INSERT INTO "representations" VALUES(1,'kept',2,X'3132333435363738',X'159174FBC01B0C6FAE73189439AD3805');
CREATE TABLE schema_version (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "schema_version" VALUES(2);
CREATE INDEX ix_generations_collection ON generations (collection);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('collections',1);
INSERT INTO "sqlite_sequence" VALUES('generations',1);
COMMIT;
