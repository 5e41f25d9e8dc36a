import { dashboard, series, stat, table } from "./panels.ts";

/** What is owed to customers, what came in and what was used. */
export const money = dashboard({
  uid: "atomic-credits-money",
  title: "Atomic Credits: money",
  description:
    "What is owed to customers, what came in and what was used, in whole credits. Days are UTC.",
  from: "now-30d",
  // Finance reads whole days: what it shows may read the whole ledger.
  refresh: "",
  panels: [
    stat({
      title: "Owed to customers",
      description: "The sum of all balances: the liability.",
      span: 6,
      sql: `
      select coalesce(sum(balance), 0) from credit_accounts
      `,
    }),
    stat({
      title: "Overdraft in use",
      description: "Credits that were spent beyond the grants.",
      span: 6,
      sql: `
      select coalesce(sum(overdraft_used), 0) from credit_accounts
      `,
    }),
    stat({
      title: "Debt",
      description:
        "Credits of revoked grants that had been spent: the next purchases pay them.",
      span: 6,
      sql: `
      select coalesce(sum(debt), 0) from credit_accounts
      `,
    }),
    stat({
      title: "Expires within 7 days",
      description: "Credits that expire unless they are used.",
      span: 6,
      sql: `
      select coalesce(sum(remaining), 0) from credit_grants
      where is_open and expires_at between now() and now() + interval '7 days'
      `,
    }),
    series({
      title: "Credits a day, by kind",
      description: "Above 0 what came in, below 0 what went out.",
      sql: `
      select $__timeGroup(created_at, '1d') as time, kind::text as metric, sum(delta) as value
      from credit_ledger where $__timeFilter(created_at)
      group by 1, 2 order by 1
      `,
    }),
    series({
      title: "Liability",
      description: "Credits owed at the end of each day.",
      sql: `
      select day::timestamp at time zone 'utc' as time, 'owed' as metric, outstanding as value
      from credit_liability_daily where $__timeFilter(day) order by 1
      `,
    }),
    series({
      title: "Revenue a day",
      description:
        "recognised: charged less refunds. breakage: expired without being used.",
      sql: `
      select d.day::timestamp at time zone 'utc' as time, part.metric, part.value
      from credit_revenue_daily as d
      cross join lateral (values
        ('recognised', d.recognised), ('breakage', d.breakage)
      ) as part (metric, value)
      where $__timeFilter(d.day) and part.value is not null order by 1
      `,
    }),
    series({
      title: "Revenue a day, by model",
      description: "Charged less refunds of the jobs created that day.",
      sql: `
      select $__timeGroup(hour, '1d') as time, model as metric,
        sum(credits_charged - credits_refunded) as value
      from generation_stats_hourly where $__timeFilter(hour)
      group by 1, 2 order by 1
      `,
    }),
    table({
      title: "Paid, by product",
      description:
        "Payments of the time shown, in minor units of their currency: net is less refunds, disputes and fees. No product: they wait to be booked.",
      sql: `
      select provider, livemode, currency, product, sum(payments) as payments, sum(gross) as gross,
        sum(refunded) as refunded, sum(disputed) as disputed, sum(fees) as fees, sum(net) as net
      from payment_revenue_daily where $__timeFilter(day) group by 1, 2, 3, 4 order by gross desc
      `,
    }),
    table({
      title: "Paid for and not used yet",
      description:
        "Deferred revenue: bought credits that are left, and the money that they stand for, in minor units.",
      sql: `
      select provider, livemode, currency, product, credits_outstanding, deferred, kept
      from payment_deferred_revenue order by deferred desc
      `,
    }),
    table({
      title: "Accounts below zero or in debt",
      description: "Who was given more than they paid for, the most first.",
      sql: `
      select id as account_id, plan, balance, overdraft_used, credit_limit, debt, closed_at
      from credit_accounts where overdraft_used > 0 or debt > 0
      order by overdraft_used + debt desc limit 100
      `,
    }),
  ],
});
