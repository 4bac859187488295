"""Cut a network in two before a block, so that the front part needs to be computed only once."""

from __future__ import annotations

from torch import fx, nn


class _Tracer(fx.Tracer):
    """Follows the data from block to block, but not inside a block."""

    def __init__(self, block: str) -> None:
        super().__init__()
        self.block = block

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        contains_block = name == "" or self.block.startswith(f"{name}.")
        return not contains_block or name == self.block


def cut_network(network: nn.Module, block: str) -> tuple[nn.Module, nn.Module] | None:
    """Cut a network before a block: (front, back), with back(front(x)) equal to network(x).

    Both parts share their layers with the network. The result is None where data bypass the block,
    or where the network cannot be traced.
    """
    try:
        graph = _Tracer(block).trace(network)
    except (fx.proxy.TraceError, TypeError, RuntimeError):
        return None
    calls = [node for node in graph.nodes if node.op == "call_module" and node.target == block]
    if len(calls) != 1 or len(calls[0].all_input_nodes) != 1:
        return None
    border = calls[0].all_input_nodes[0]
    back = _back(graph, border)
    if back is None:
        return None
    return fx.GraphModule(network, _front(graph, border)), fx.GraphModule(network, back)


def _front(graph: fx.Graph, border: fx.Node) -> fx.Graph:
    """Copy the nodes up to the border, which becomes the output."""
    front = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        copies[node] = front.node_copy(node, copies.__getitem__)
        if node is border:
            break
    front.output(copies[border])
    return front


def _back(graph: fx.Graph, border: fx.Node) -> fx.Graph | None:
    """Copy the nodes that depend on the border, which becomes the input; None if not only on it."""
    back = fx.Graph()
    copies = {border: back.placeholder("activations")}
    for node in graph.nodes:
        inputs = node.all_input_nodes
        if node is border or not any(needed in copies for needed in inputs):
            continue  # it comes before the border
        for needed in inputs:
            if needed in copies:
                continue
            if needed.op != "get_attr":
                return None  # it bypasses the border
            copies[needed] = back.node_copy(needed, copies.__getitem__)
        copies[node] = back.node_copy(node, copies.__getitem__)
    return back
