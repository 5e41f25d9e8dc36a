import { expect, test } from "vitest";
import { needsTls } from "../scripts/connect.ts";

test.each([
  ["postgresql://postgres:x@db.abc.supabase.co:5432/postgres", true],
  ["postgresql://postgres.abc:x@aws-0.pooler.supabase.com:5432/postgres", true],
  ["postgresql://postgres:x@192.168.1.7/postgres", true],
  ["postgresql://postgres:x@db.example.com/postgres?sslmode=disable", false],
  [
    "postgresql://postgres:x@db.example.com/postgres?sslmode=verify-full",
    false,
  ],
  ["postgresql://postgres:x@127.0.0.1:54322/postgres", false],
  ["postgresql://postgres:x@localhost/postgres", false],
  ["postgresql://postgres:x@[::1]:5432/postgres", false],
  ["postgresql:///postgres?host=/var/run/postgresql", false],
])("a connection to %s is encrypted by itself: %s", (url, wanted) => {
  expect(needsTls(url)).toBe(wanted);
});
