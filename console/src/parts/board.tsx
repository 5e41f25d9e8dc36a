import Button from "@mui/material/Button";
import Typography from "@mui/material/Typography";
import type { ReactNode } from "react";
import { useInfiniteGetList } from "react-admin";
import type { Row } from "../data/pages.ts";
import { csvOf } from "./csv.ts";
import { grouped, plain, words } from "./format.ts";
import { Time } from "./time.tsx";
import { save } from "./save.ts";
import { Empty, Failure, Loading } from "./states.tsx";

/** A column of a list. */
export interface Column {
  /** The view's column; also what the CSV has. */
  readonly source: string;
  readonly label: string;
  /** A word is one of SQL, such as `in_force`. */
  readonly kind?: "number" | "time" | "word";
  /** How it is shown, where its kind does not say it. */
  readonly show?: (row: Row) => ReactNode;
}

export interface BoardProps {
  readonly resource: string;
  readonly columns: readonly Column[];
  readonly filter?: Row;
  /** What is said where there is no row. */
  readonly empty: string;
  /** Buttons of a row. */
  readonly actions?: (row: Row) => ReactNode;
  readonly perPage?: number;
}

/** A list that grows by its next page, read by key. On a phone each row is a card. */
export function Board(props: BoardProps) {
  const { resource, filter = {}, perPage = 50 } = props;
  const list = useInfiniteGetList(resource, {
    pagination: { page: 1, perPage },
    filter,
  });
  const rows = list.data?.pages.flatMap(({ data }) => data as Row[]) ?? [];
  if (list.isPending) return <Loading />;
  if (list.error && rows.length === 0) {
    return <Failure error={list.error} retry={() => list.refetch()} />;
  }
  if (rows.length === 0) return <Empty>{props.empty}</Empty>;
  return (
    <>
      <Rows {...props} rows={rows} />
      {list.error && (
        <Failure
          error={list.error}
          retry={() => list.refetch()}
        />
      )}
      <div className="foot">
        <Typography variant="body2" color="text.secondary" component="span">
          {grouped(rows.length)} shown
        </Typography>
        {list.hasNextPage && (
          <Button
            onClick={() => list.fetchNextPage()}
            disabled={list.isFetchingNextPage}
          >
            Show more
          </Button>
        )}
        <Export {...props} rows={rows} />
      </div>
    </>
  );
}

interface RowsProps extends Pick<BoardProps, "columns" | "actions"> {
  readonly rows: readonly Row[];
}

function Rows({ columns, actions, rows }: RowsProps) {
  return (
    <table className="board">
      <thead>
        <tr>
          {columns.map(({ source, label, kind }) => (
            <th key={source} scope="col" className={kind}>{label}</th>
          ))}
          {actions && <th scope="col">Actions</th>}
        </tr>
      </thead>
      <tbody>
        {rows.map((row, position) => (
          <tr key={String(row.id ?? position)}>
            {columns.map((column) => (
              <td
                key={column.source}
                data-label={column.label}
                className={column.kind}
              >
                {shown(column, row)}
              </td>
            ))}
            {actions && <td className="actions">{actions(row)}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function shown({ source, kind, show }: Column, row: Row): ReactNode {
  if (show) return show(row);
  const value = row[source];
  if (kind === "number") return grouped(value);
  if (kind === "time") return <Time at={value} />;
  if (kind === "word") return words(value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  return plain(value);
}

function Export({ resource, columns, rows }: RowsProps & { resource: string }) {
  const write = () =>
    save(
      `${resource}.csv`,
      csvOf(
        columns.map(({ source }) => source),
        rows.map((row) => columns.map(({ source }) => row[source])),
      ),
    );
  return <Button onClick={write}>Save as CSV</Button>;
}
