-- Ada opens an account for her team and moves 2,000 of her credits there.
select balance from grant_credits('00000000-0000-4000-8000-000000000ada', 3000, 'bought', 'purchase');

select create_team_account('00000000-0000-4000-8000-000000000ada', '00000000-0000-4000-8000-00000000feed') = '00000000-0000-4000-8000-00000000feed' as opened;

select from_balance, to_balance from transfer_credits('00000000-0000-4000-8000-000000000ada', '00000000-0000-4000-8000-00000000feed', 2000, 'move-1', 'for the team');

-- Bob is no member yet.
select status, code
from atomic_charge_credits('00000000-0000-4000-8000-00000000feed', 'standard-image', '{"prompt": "a boat"}', p_member_id => '00000000-0000-4000-8000-000000000b0b');

-- As a member he may spend 900 credits a month.
select role, monthly_cap from set_account_member('00000000-0000-4000-8000-00000000feed', '00000000-0000-4000-8000-000000000b0b', 'member', 900);

select status, code, balance
from atomic_charge_credits('00000000-0000-4000-8000-00000000feed', 'standard-image', '{"prompt": "a boat"}', p_member_id => '00000000-0000-4000-8000-000000000b0b');

select status, code, message
from atomic_charge_credits('00000000-0000-4000-8000-00000000feed', 'standard-image', '{"prompt": "a second boat"}', p_member_id => '00000000-0000-4000-8000-000000000b0b');
