from dataclasses import asdict, dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Order:
    id: int
    sku: str
    quantity: int

    def as_dict(self):
        return dict(asdict(self), total=str(Decimal("9.90") * self.quantity))
