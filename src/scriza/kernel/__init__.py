"""The words every room shares: ids, clocks, errors, operations, events. Small, pure, no I/O."""
