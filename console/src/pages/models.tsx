import type { Row } from "../data/pages.ts";
import { Board, type Column } from "../parts/board.tsx";
import { grouped, plain, words } from "../parts/format.ts";
import { Page } from "../parts/page.tsx";

interface Rate {
  readonly meter: string;
  readonly price: number;
  readonly per: number;
  readonly price_usd: number | null;
  readonly cost_usd: number | null;
  readonly margin_percent: number | null;
}

function Rates({ of }: { of: unknown }) {
  const rates = Array.isArray(of) ? of as Rate[] : [];
  return rates.map((
    { meter, price, per, cost_usd, price_usd, margin_percent },
  ) => (
    <div key={meter}>
      {plain(price)} per {per === 1 ? "" : `${grouped(per)} `}
      {words(meter)}
      {cost_usd !== null &&
        ` (sold at $${price_usd}, costs $${cost_usd}, margin ${margin_percent}%)`}
    </div>
  ));
}

const COLUMNS: readonly Column[] = [
  { source: "model", label: "Model" },
  { source: "state", label: "State", kind: "word" },
  { source: "enabled", label: "Enabled" },
  { source: "provider", label: "Provider" },
  {
    source: "rates",
    label: "Price",
    show: (row: Row) => <Rates of={row.rates} />,
  },
  { source: "least_margin_percent", label: "Least margin %" },
  { source: "effective_from", label: "From", kind: "time" },
];

/** Each version of each price, what it costs, and what is left. */
export function ModelsPage() {
  return (
    <Page title="Models and margin">
      <Board resource="models" columns={COLUMNS} empty="There is no model." />
    </Page>
  );
}
