-- A small music library in the manner of the Chinook sample database: an artist owns albums, these own tracks; genres and media types
-- are shared; invoices and playlists are what customers did. Identity columns are GENERATED ALWAYS.
CREATE TABLE artist (artist_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(120));
CREATE TABLE album (album_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title varchar(160) NOT NULL, artist_id integer NOT NULL REFERENCES artist);
CREATE TABLE genre (genre_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(120));
CREATE TABLE media_type (media_type_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(120));
CREATE TABLE track (
  track_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name varchar(200) NOT NULL,
  album_id integer REFERENCES album,
  media_type_id integer NOT NULL REFERENCES media_type,
  genre_id integer REFERENCES genre,
  composer varchar(220),
  milliseconds integer NOT NULL,
  unit_price numeric(10,2) NOT NULL
);
CREATE TABLE customer (customer_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, last_name varchar(20) NOT NULL);
CREATE TABLE invoice (invoice_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer_id integer NOT NULL REFERENCES customer);
CREATE TABLE invoice_line (invoice_line_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, invoice_id integer NOT NULL REFERENCES invoice, track_id integer NOT NULL REFERENCES track);
CREATE TABLE playlist (playlist_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(120));
CREATE TABLE playlist_track (playlist_id integer NOT NULL REFERENCES playlist, track_id integer NOT NULL REFERENCES track, PRIMARY KEY (playlist_id, track_id));

INSERT INTO artist (name) VALUES ('Os Ossos'), ('The Quiet Ones');
INSERT INTO album (title, artist_id) VALUES ('Costelas', 1), ('Vértebras', 1), ('Hush', 2);
INSERT INTO genre (name) VALUES ('Rock'), ('Fado'), ('Ambient');
INSERT INTO media_type (name) VALUES ('MPEG audio file'), ('AAC audio file');
INSERT INTO track (name, album_id, media_type_id, genre_id, composer, milliseconds, unit_price)
VALUES ('Primeira', 1, 1, 1, 'A. Silva', 201000, 0.99), ('Segunda', 1, 1, 2, NULL, 187000, 0.99), ('Flutuante', 2, 2, 2, 'B. Costa', 240500, 1.10), ('Whisper', 3, 1, 3, NULL, 600000, 1.99);
INSERT INTO customer (last_name) VALUES ('Sousa');
INSERT INTO invoice (customer_id) VALUES (1);
INSERT INTO invoice_line (invoice_id, track_id) VALUES (1, 1), (1, 3), (1, 4);
INSERT INTO playlist (name) VALUES ('Driving');
INSERT INTO playlist_track VALUES (1, 1), (1, 4);
