// IndexedDB, as promises: one database for each device of the browser.

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

const stores = /** @type {const} */ (["state", "items", "queue", "storing", "drafts"]);
/** @typedef {typeof stores[number]} Name */

export class Database {
  /** @param {IDBDatabase} database */
  constructor(database) {
    this.database = database;
  }

  /** @param {string} device */
  static async open(device) {
    const request = indexedDB.open(`continuo ${device}`, 2);
    request.onupgradeneeded = () => {
      for (const name of stores) {
        if (!request.result.objectStoreNames.contains(name)) request.result.createObjectStore(name);
      }
    };
    const database = await done(request);
    // Another page forgets this device: it need not wait for this one to be closed.
    database.onversionchange = () => database.close();
    return new Database(database);
  }

  /**
   * @param {Name} name
   * @param {IDBValidKey} key
   */
  get(name, key) {
    return done(this.database.transaction(name).objectStore(name).get(key));
  }

  /** @param {Name} name */
  all(name) {
    return done(this.database.transaction(name).objectStore(name).getAll());
  }

  /**
   * Writes all of it or nothing; resolves once it is on disk.
   * @param {{put?: [Name, IDBValidKey, unknown][], drop?: [Name, IDBValidKey][], clear?: Name[]}} changes
   * @returns {Promise<void>}
   */
  write({ put = [], drop = [], clear = [] }) {
    return new Promise((resolve, reject) => {
      const transaction = this.database.transaction(stores, "readwrite", { durability: "strict" });
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
      for (const name of clear) transaction.objectStore(name).clear();
      for (const [name, key] of drop) transaction.objectStore(name).delete(key);
      for (const [name, key, value] of put) transaction.objectStore(name).put(value, key);
    });
  }

  close() {
    this.database.close();
  }

  /** @param {string} device */
  static remove(device) {
    return done(indexedDB.deleteDatabase(`continuo ${device}`));
  }
}
