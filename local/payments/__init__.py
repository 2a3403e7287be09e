"""Stand-ins for the payment providers and the sources of exchange rates.

They know nothing of the product: their protocols are written from the providers' documents, so that
a misunderstanding on one side cannot hide behind the same one on the other. See each simulator's
module for what it serves, and `wishes` for what can be made to happen.
"""

from local.payments.midtrans.simulator import MidtransSimulator
from local.payments.nowpayments.simulator import NowPaymentsSimulator
from local.payments.rates import RatesSimulator

__all__ = ["MidtransSimulator", "NowPaymentsSimulator", "RatesSimulator"]
