import type { Family } from "../scenario.ts";
import { batch } from "./batch.ts";
import { breakdown } from "./breakdown.ts";
import { charges } from "./charges.ts";
import { denials } from "./denials.ts";
import { grants } from "./grants.ts";
import { history } from "./history.ts";
import { http } from "./http.ts";
import { outputs } from "./outputs.ts";
import { repeats } from "./repeats.ts";
import { shards } from "./shards.ts";
import { storage } from "./storage.ts";
import { tasks } from "./tasks.ts";
import { text } from "./text.ts";

/** All that is measured, in this order. */
export const FAMILIES: readonly Family[] = [
  charges,
  denials,
  grants,
  batch,
  repeats,
  history,
  tasks,
  storage,
  http,
  text,
  outputs,
  breakdown,
  shards,
];
