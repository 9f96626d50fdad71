-- SPDX-License-Identifier: Apache-2.0
-- Names that try to break out of wherever they are put.
CREATE SCHEMA "a.b c";
CREATE SCHEMA "semi;colon";
CREATE TABLE "a.b c"."x.y ""z""" ("col 1" int PRIMARY KEY, "select" text);
CREATE TABLE "semi;colon"."new
line; DROP TABLE x; --" (i int);
CREATE TABLE "semi;colon"."-x" (i serial, "a=b" text DEFAULT E'\\.');
CREATE TABLE public."back\slash" (t text);
CREATE TABLE public."star*" (t text);
CREATE TABLE public."comma,dot." (t text);
CREATE TABLE public."ünïcödé 表 😀" (t text);
CREATE TABLE public."$holdfast$ :var :'var'" (t text);
CREATE TABLE public."%s %n" (t text);
CREATE TABLE public." " (t text);
INSERT INTO "a.b c"."x.y ""z""" VALUES (1, E'\\.\n\\.'), (2, '\connect postgres');
INSERT INTO "semi;colon"."new
line; DROP TABLE x; --" VALUES (1), (2), (3);
INSERT INTO "semi;colon"."-x" ("a=b") VALUES (DEFAULT), ('=');
INSERT INTO public."back\slash" VALUES (E'\\'), (E'\\N');
INSERT INTO public."star*" VALUES ('*');
INSERT INTO public."comma,dot." VALUES (',.');
INSERT INTO public."ünïcödé 表 😀" VALUES ('😀');
INSERT INTO public."$holdfast$ :var :'var'" VALUES ('$$'), (':var');
INSERT INTO public."%s %n" VALUES ('%s');
INSERT INTO public." " VALUES (' ');
COMMENT ON TABLE public."star*" IS E'\n\\! touch /tmp/broken-out\n\\connect postgres\n';
