import { useCredits } from "@atomic-credits/client/react";
import { useState } from "react";
import { credits } from "./client.ts";
import { Header } from "./header.tsx";
import { History } from "./history.tsx";
import { Maker } from "./maker.tsx";
import { Products } from "./products.tsx";
import { Purchase } from "./purchase.tsx";

/** What somebody sees who is signed in. */
export function Studio({ email }: { email: string | undefined }) {
  const { balance, error } = useCredits(credits);
  const [made, setMade] = useState(0);
  return (
    <>
      <Header balance={balance} error={error} email={email} />
      <main className="studio">
        <Purchase />
        <Maker onEnd={() => setMade((before) => before + 1)} />
        <aside>
          <Products />
          <History changed={`${balance?.balance} ${made}`} />
        </aside>
      </main>
    </>
  );
}
