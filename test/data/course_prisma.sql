-- A learning platform as Prisma makes its tables: camelCase, text keys that the application makes, "updatedAt" without a default, an
-- implicit many-to-many table without a primary key. Into the first schema of the search path; with one course of its own.
CREATE TYPE "CourseStatus" AS ENUM ('DRAFT', 'PUBLISHED');
CREATE TABLE "User" (
  "id"    TEXT NOT NULL PRIMARY KEY,
  "email" TEXT NOT NULL
);
CREATE TABLE "Course" (
  "id"            TEXT NOT NULL PRIMARY KEY,
  "title"         TEXT NOT NULL,
  "slug"          TEXT NOT NULL,
  "description"   TEXT,
  "status"        "CourseStatus" NOT NULL DEFAULT 'DRAFT',
  "settings"      JSONB NOT NULL DEFAULT '{}',
  "authorId"      TEXT NOT NULL REFERENCES "User" ON DELETE RESTRICT ON UPDATE CASCADE,
  "externalId"    TEXT,
  "importBatchId" TEXT,
  "createdAt"     TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "updatedAt"     TIMESTAMP(3) NOT NULL
);
CREATE UNIQUE INDEX "Course_slug_key" ON "Course" ("slug");
CREATE TABLE "Module" (
  "id"         TEXT NOT NULL PRIMARY KEY,
  "courseId"   TEXT NOT NULL REFERENCES "Course" ON DELETE CASCADE,
  "title"      TEXT NOT NULL,
  "position"   INTEGER NOT NULL,
  "externalId" TEXT
);
CREATE TABLE "Lesson" (
  "id"               TEXT NOT NULL PRIMARY KEY,
  "moduleId"         TEXT NOT NULL REFERENCES "Module" ON DELETE CASCADE,
  "title"            TEXT NOT NULL,
  "videoUrl"         TEXT,
  "duration"         TEXT,
  "practicalSummary" TEXT,
  "checklist"        JSONB,
  "body"             TEXT NOT NULL,
  "price"            DECIMAL(65,30),
  "big"              BIGINT,
  "position"         INTEGER NOT NULL,
  "updatedAt"        TIMESTAMP(3) NOT NULL
);
CREATE TABLE "Quiz" (
  "id"           TEXT NOT NULL PRIMARY KEY,
  "lessonId"     TEXT NOT NULL REFERENCES "Lesson" ON DELETE CASCADE,
  "title"        TEXT NOT NULL,
  "passingScore" INTEGER NOT NULL
);
CREATE TABLE "Question" (
  "id"       TEXT NOT NULL PRIMARY KEY,
  "quizId"   TEXT NOT NULL REFERENCES "Quiz" ON DELETE CASCADE,
  "type"     TEXT NOT NULL,
  "stem"     TEXT NOT NULL,
  "position" INTEGER NOT NULL
);
CREATE TABLE "Option" (
  "id"          TEXT NOT NULL PRIMARY KEY,
  "questionId"  TEXT NOT NULL REFERENCES "Question" ON DELETE CASCADE,
  "text"        TEXT NOT NULL,
  "isCorrect"   BOOLEAN NOT NULL,
  "timesChosen" INTEGER NOT NULL DEFAULT 0,
  "position"    INTEGER NOT NULL
);
CREATE TABLE "Competency" (
  "id"   TEXT NOT NULL PRIMARY KEY,
  "code" TEXT NOT NULL UNIQUE,
  "name" TEXT NOT NULL
);
CREATE TABLE "_CompetencyToLesson" (
  "A" TEXT NOT NULL REFERENCES "Competency" ON DELETE CASCADE ON UPDATE CASCADE,
  "B" TEXT NOT NULL REFERENCES "Lesson" ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE UNIQUE INDEX "_CompetencyToLesson_AB_unique" ON "_CompetencyToLesson" ("A", "B");
CREATE TABLE "BankQuestion" (
  "id"           TEXT NOT NULL PRIMARY KEY,
  "competencyId" TEXT NOT NULL REFERENCES "Competency",
  "stem"         TEXT NOT NULL,
  "createdAt"    TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE "BankOption" (
  "id"             TEXT NOT NULL PRIMARY KEY,
  "bankQuestionId" TEXT NOT NULL REFERENCES "BankQuestion",
  "text"           TEXT NOT NULL,
  "isCorrect"      BOOLEAN NOT NULL
);
CREATE TABLE "CourseFaq" (
  "id"       TEXT NOT NULL PRIMARY KEY,
  "courseId" TEXT NOT NULL REFERENCES "Course" ON DELETE CASCADE,
  "question" TEXT NOT NULL,
  "answer"   TEXT NOT NULL,
  "position" INTEGER NOT NULL
);
CREATE TABLE "UserProgress" (
  "userId"   TEXT NOT NULL REFERENCES "User",
  "lessonId" TEXT NOT NULL REFERENCES "Lesson" ON DELETE CASCADE,
  "note"     TEXT,
  PRIMARY KEY ("userId", "lessonId")
);

INSERT INTO "User" VALUES ('clu0000000000000000000ana', 'ana@exemplo.br');
INSERT INTO "Course" ("id", "title", "slug", "status", "authorId", "updatedAt") VALUES ('clc0000000000000000000bio', 'Biologia', 'biologia', 'PUBLISHED', 'clu0000000000000000000ana', '2026-03-01');
INSERT INTO "Module" VALUES ('clm0000000000000000000001', 'clc0000000000000000000bio', 'Células', 1);
INSERT INTO "Lesson" ("id", "moduleId", "title", "body", "price", "big", "position", "updatedAt") VALUES ('cll0000000000000000000001', 'clm0000000000000000000001', 'A célula', '', 12.5, 9007199254740993, 1, '2026-03-01');
INSERT INTO "Competency" VALUES ('clk0000000000000000000001', 'C1', 'Observar');
INSERT INTO "_CompetencyToLesson" VALUES ('clk0000000000000000000001', 'cll0000000000000000000001');
INSERT INTO "BankQuestion" VALUES ('clb0000000000000000000001', 'clk0000000000000000000001', 'O que é uma célula?');
INSERT INTO "BankOption" VALUES ('clo0000000000000000000001', 'clb0000000000000000000001', 'A menor parte viva', true);
INSERT INTO "UserProgress" VALUES ('clu0000000000000000000ana', 'cll0000000000000000000001', 'MARCA SECRETA');
