-- Gives: transfer_send_batch, the first step of a batch of transfers of which some go to accounts of other shards.
-- Keeps: all that the batch takes is taken, or nothing; each transfer counts once.
-- Needs: transfer between shards.

create function public.transfer_send_batch(p_transfers jsonb, p_closed uuid[] default '{}')
returns setof public.credit_transfer_sent
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  transfers constant credits.transfer_order[] := credits.transfers_read(p_transfers);
  transfer credits.transfer_order;
  sender public.credit_accounts;
  recipient public.credit_accounts;
  new_refs text[];
begin
  perform credits.caller_check('transfer_send_batch');
  perform credits.transfer_check(t) from unnest(transfers) as t;
  perform credits.own_account_check(t.from_account_id) from unnest(transfers) as t;
  -- As in transfers_make: all that live here, before anything moves.
  perform credits.accounts_lock(credits.own_accounts(array(
    select unnest(array[t.from_account_id, t.to_account_id]) from unnest(transfers) as t)));
  perform credits.account_refill_due(t.from_account_id) from unnest(transfers) as t;
  new_refs := credits.transfers_note(transfers);
  foreach transfer in array transfers loop
    if transfer.external_ref <> all (new_refs) then
      perform credits.transfer_return_check(transfer.from_account_id, transfer.external_ref);
    else
      select * into strict sender from public.credit_accounts where id = transfer.from_account_id;
      select * into recipient from public.credit_accounts where id = transfer.to_account_id;
      if found then
        perform credits.transfer_book(sender, recipient, transfer.amount, transfer.reason, transfer.external_ref);
      else
        recipient.closed_at := case when transfer.to_account_id = any (p_closed) then now() end;
        perform credits.transfer_dispatch(sender, recipient, transfer);
      end if;
    end if;
    return next credits.transfer_sent(transfer.external_ref, transfer.external_ref = any (new_refs));
    new_refs := array_remove(new_refs, transfer.external_ref);
  end loop;
end;
$$;
comment on function public.transfer_send_batch(jsonb, uuid[]) is
  'The first step of transfer_credits_batch where all senders live on this shard, and recipients on others: makes the '
  'transfers between accounts of this shard, and sends the others as transfer_send does, all or nothing, in their '
  'order. p_closed: accounts of other shards that are known to be closed. Go on with each transfer that has a '
  'transfer_id and has not arrived. Raises 22023 for a batch that is not an array of 1 to 1000 transfers, and '
  'otherwise what transfer_send raises.';
