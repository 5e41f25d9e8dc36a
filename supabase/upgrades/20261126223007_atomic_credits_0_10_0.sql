-- What the next release changes and npm run regenerate cannot know: alter table, alter type, data.
-- Functions, views, triggers, policies, rules, comments, privileges, new types, tables and rows are written by it.
-- A new column stands last in its create table. docs/upgrade.md, "Add a change after a release".

-- part 1: before anything is dropped.

-- part 2: views and functions that go or are made again are dropped, new types are there.

-- part 3: everything is there.
