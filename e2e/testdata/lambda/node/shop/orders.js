'use strict';
// A class with state, in a folder, with a module beside it.
const { Order } = require('./lib/order');

class Orders {
  #next = 1;

  constructor(table) {
    this.table = table;
    this.place = this.place.bind(this);
  }

  async place(event, context) {
    const order = new Order(this.#next++, event.sku, event.quantity ?? 1);
    return { table: this.table, order, version: context.functionVersion };
  }
}

module.exports = { orders: new Orders(process.env.ORDERS_TABLE ?? 'orders') };
