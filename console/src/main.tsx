import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { readConfig } from "./config.ts";
import { connect } from "./data/client.ts";
import { Failure } from "./parts/states.tsx";

const root = createRoot(document.getElementById("root")!);
try {
  const config = await readConfig();
  root.render(<App client={connect(config)} config={config} />);
} catch (error) {
  root.render(<Failure error={error} retry={() => location.reload()} />);
}
