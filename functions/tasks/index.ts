import { authenticateSchedule as authenticate } from "../_shared/authenticate_schedule.ts";
import { callbackDatabase } from "../_shared/callback_database.ts";
import { creditsDatabase } from "../_shared/credits_database.ts";
import { outputStore as store } from "../_shared/outputs.ts";
import { callbackRegistry } from "../_shared/providers/callback_registry.ts";
import { serveRoutes } from "../_shared/route.ts";
import { storageDatabase } from "../_shared/storage_database.ts";
import { askProviders } from "./ask_providers.ts";
import { askContract, deleteContract, moveContract } from "./contract.ts";
import { deleteObjects } from "./delete_objects.ts";
import { taskRoutes } from "./handler.ts";
import { moveOutputs } from "./move_outputs.ts";

const asking = {
  database: { ...creditsDatabase, ...callbackDatabase },
  store,
  findProvider: callbackRegistry((name) => Deno.env.get(name)),
};
const files = { database: storageDatabase, store };

/** The edge function `tasks`: called on a schedule. */
export default {
  fetch: serveRoutes(
    "tasks",
    taskRoutes({
      authenticate,
      now: () => performance.now(),
      tasks: {
        "ask-providers": {
          contract: askContract,
          run: (isOver) => askProviders(asking, isOver),
        },
        "delete-objects": {
          contract: deleteContract,
          run: (isOver) => deleteObjects(files, isOver),
        },
        "move-outputs": {
          contract: moveContract,
          run: (isOver) => moveOutputs(files, isOver),
        },
      },
    }),
  ),
};
