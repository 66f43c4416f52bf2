"""What a tenant may use, and how often: plans, quotas, rates.

plans.py         the table of plans
settings.py      the table [limits] of the TOML, which overrides it
quotas.py        quotas, decided in the transaction of the change that is charged; counter.py is one of them
recount.py       counters set right by the rows that they count, at a start and when a fleet is deleted
warnings.py      what the fleets of a tenant are told when a quota is nearly used up
usage.py         what a tenant has used, for people
rates.py         how often something may happen; limits.py puts together what asks it:
agent_rates.py   how often an agent may send, by the plan of its tenant, which tenant_plans.py knows
sign_in.py       the guard before every look-up of a key
"""

from ringforge_core.limits.limits import Limits
from ringforge_core.limits.plans import RESOURCES, Plan
from ringforge_core.limits.quotas import Quotas
from ringforge_core.limits.recount import recount
from ringforge_core.limits.settings import LimitsSettings
from ringforge_core.limits.usage import read_usage
from ringforge_core.limits.warnings import TOPIC, QuotaWarning
from ringforge_core.plugin.records import Usage

__all__ = [
    "RESOURCES",
    "TOPIC",
    "Limits",
    "LimitsSettings",
    "Plan",
    "QuotaWarning",
    "Quotas",
    "Usage",
    "read_usage",
    "recount",
]
