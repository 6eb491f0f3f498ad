"""The truth of the simulated plant: master data, orders, stock, quality, trade and transport on one clock."""
