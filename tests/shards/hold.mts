import { existsSync, writeFileSync } from "node:fs";
import { onFleet } from "./fleet.ts";
await onFleet(async (fleet) => {
  writeFileSync("/tmp/w/t3x/shards.json", JSON.stringify(fleet, null, 1));
  writeFileSync("/tmp/w/t3x/up", "");
  while (existsSync("/tmp/w/t3x/up")) await new Promise((r) => setTimeout(r, 500));
});
