"""What a component of each kind is given and gives back: the public protocols.

One file per kind, so that a layout or an exporter is written without importing torch:

* learning: `loss`, `network`, `task`, `augmentation`, `batch`, `optimiser`, `schedule`;
* cells: `segmenter`, `scorer`, `labeller`, `decider`, `adjuster`;
* folders: `layout`, `splitter`, `exporter`.

A component is a module with `build(<typed options>)` that gives one of these; `cellwise.testing`
checks it.
"""
