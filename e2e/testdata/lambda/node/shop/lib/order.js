exports.Order = class Order {
  constructor(id, sku, quantity) {
    Object.assign(this, { id, sku, quantity });
  }

  toJSON() {
    return { ...this, total: (9.9 * this.quantity).toFixed(2) };
  }
};
