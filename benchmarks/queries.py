"""The three questions that everything is measured by; the same text for the gateway and the baseline."""

SINGLE = """\
query Order($id: ID!) {
  productionOrder(id: $id) {
    id number status
    item { number description gtin baseUnit revision }
    planning { quantity { value unit } plannedStart plannedEnd dueDate releasedAt priority }
    posting { confirmedYield { value unit } received { value unit } lastPostingDate fullyPosted }
    execution { good { value unit } scrap { value unit } percentComplete actualStart actualEnd }
    operations {
      id number description status
      actual { good { value unit } scrap { value unit } actualStart actualEnd }
    }
    outputs { id number item { number description } }
    shipments { id number direction carrier { code } shipTo { code } }
  }
}
"""
"""One order with everything that the five systems know: order, item, execution and operations, lots, shipments."""

PAGE = """\
query Page($first: Int!, $search: String!) {
  productionOrders(first: $first, filter: {search: $search}) {
    nodes {
      id number status
      item { number description revision baseUnit }
      planning { quantity { value unit } plannedStart plannedEnd dueDate priority }
      posting { confirmedYield { value } received { value unit } lastPostingDate fullyPosted }
      execution { good { value unit } scrap { value } percentComplete actualStart actualEnd }
      operations { number status actual { good { value } } }
      outputs { number }
      shipments { number direction }
    }
  }
}
"""
"""A page of orders, each over the same five hops."""

ANALYTICS = """\
query Analytics($first: Int!, $search: String!) {
  productionOrders(first: $first, filter: {search: $search}) {
    nodes {
      number
      item { number }
      outputs { number balances { view onHand { value unit } stockStatus } }
    }
  }
}
"""
"""Many rows and few facts of each: orders, their item, and what lies where of each of their lots."""
