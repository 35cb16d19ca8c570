"""The store on MongoDB's protocol: the embedded server, transactions, the outbox, the event bus.

`store.open_store` is the door; nothing is imported here, so that a process without a store pays for no driver.
"""
