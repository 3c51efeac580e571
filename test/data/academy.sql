-- A teaching platform with the conventional tables of a course, as the README's session on courses uses it.
CREATE TYPE course_status AS ENUM ('DRAFT', 'PUBLISHED', 'ARCHIVED');
CREATE TABLE users (
  id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email text NOT NULL UNIQUE
);
CREATE TABLE courses (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  title       text NOT NULL,
  description text,
  status      course_status NOT NULL DEFAULT 'DRAFT',
  external_id text,
  updated_at  timestamptz NOT NULL
);
CREATE TABLE modules (
  id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  course_id bigint NOT NULL REFERENCES courses ON DELETE CASCADE,
  title     text NOT NULL,
  position  integer NOT NULL,
  UNIQUE (course_id, position)
);
CREATE TABLE lessons (
  id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  module_id         bigint NOT NULL REFERENCES modules ON DELETE CASCADE,
  title             text NOT NULL,
  video_url         text,
  practical_summary text,
  checklist         jsonb,
  position          integer NOT NULL
);
CREATE TABLE quizzes (
  id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  lesson_id     uuid NOT NULL REFERENCES lessons ON DELETE CASCADE,
  title         text NOT NULL,
  passing_score integer NOT NULL DEFAULT 70
);
CREATE TABLE questions (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  quiz_id  bigint NOT NULL REFERENCES quizzes ON DELETE CASCADE,
  body     text NOT NULL,
  position integer NOT NULL
);
CREATE TABLE options (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  question_id bigint NOT NULL REFERENCES questions ON DELETE CASCADE,
  body        text NOT NULL,
  is_correct  boolean NOT NULL DEFAULT false
);
CREATE TABLE competencies (
  id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE
);
CREATE TABLE lesson_competencies (
  lesson_id     uuid REFERENCES lessons ON DELETE CASCADE,
  competency_id bigint REFERENCES competencies,
  PRIMARY KEY (lesson_id, competency_id)
);
CREATE TABLE user_progress (
  user_id   bigint REFERENCES users,
  lesson_id uuid REFERENCES lessons,
  done_at   timestamptz NOT NULL,
  PRIMARY KEY (user_id, lesson_id)
);

INSERT INTO users (email) SELECT 'aluno' || n || '@example.com' FROM generate_series(1, 40) AS n;
INSERT INTO courses (title, description, status, updated_at) VALUES
  ('Primeiros socorros', 'O que fazer até a ajuda chegar', 'PUBLISHED', '2026-03-01'),
  ('Libras para o atendimento', 'Língua de sinais no balcão', 'PUBLISHED', '2026-04-12');
INSERT INTO modules (course_id, title, position)
SELECT c.id, 'Módulo ' || p || ': ' || (ARRAY['conceitos', 'prática', 'revisão'])[p], p FROM courses AS c, generate_series(1, 3) AS p ORDER BY c.id, p;
INSERT INTO lessons (id, module_id, title, video_url, practical_summary, checklist, position)
SELECT md5(m.id || '/' || p)::uuid, m.id, 'Aula ' || p, 'https://videos.example.com/' || m.id || '/' || p, 'Resumo prático da aula ' || p,
       '["ler o resumo", "fazer o teste"]', p
FROM modules AS m, generate_series(1, 4) AS p ORDER BY m.id, p;
INSERT INTO quizzes (lesson_id, title) SELECT id, 'Teste: ' || title FROM lessons WHERE position = 4 ORDER BY module_id;
INSERT INTO questions (quiz_id, body, position)
SELECT q.id, 'Pergunta ' || p || ' do teste ' || q.id, p FROM quizzes AS q, generate_series(1, 5) AS p ORDER BY q.id, p;
INSERT INTO options (question_id, body, is_correct)
SELECT q.id, 'Alternativa ' || chr(64 + p), p = 1 + q.id % 4 FROM questions AS q, generate_series(1, 4) AS p ORDER BY q.id, p;
INSERT INTO competencies (name) VALUES ('Comunicação'), ('Segurança');
INSERT INTO lesson_competencies SELECT id, 1 + position % 2 FROM lessons;
INSERT INTO user_progress SELECT u.id, l.id, '2026-05-01' FROM users AS u, lessons AS l WHERE (u.id + l.position) % 3 = 0;
