"""Serving: the page in a thread of a run, from before its first frame until its end."""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge.live import Live
from edge.page.address import PageOptions, listen
from edge.page.app import Shown, page_app
from edge.page.gallery import Gallery
from edge.page.metrics import Metrics
from edge.page.models import Models
from edge.page.pictures import Pictures
from edge.page.server import door_of, serving, url_of
from edge.page.state import PageState
from edge.sinks import Sink
from edge.swap import Swapper


@contextlib.contextmanager
def page_of(
    live: Live, swapper: Swapper, bundle: Path, options: PageOptions, gallery: Gallery | None = None
) -> Iterator[Sequence[Sink]]:
    """Serve the page of a run, and give the sinks that it lives on.

    Args:
        live: the run, which has yet to begin; where the page is served is said as an event.
        swapper: of its models.
        bundle: its first one.
        options: where and for whom.
        gallery: of evidence.

    Raises:
        ConfigError: if the address, the token, the certificate or the folder of bundles is wrong.
    """
    models = Models(live.slot, swapper, bundle, options.bundles)
    listener = listen(options)
    with contextlib.closing(listener):
        door = door_of(options, listener)
        state = PageState(live)
        pictures = Pictures(lambda: state.trouble)
        metrics = Metrics(live, models, lambda: state.readiness, lambda: 0 if door is None else door.tries.failed)
        ended = threading.Event()
        app = page_app(Shown(state, live.events, models, pictures, metrics.registry, gallery, ended.is_set))
        with serving(app, listener, options, door):
            pictures.start()
            live.events.add("page", url_of(options, listener))
            try:
                yield state, pictures, metrics
            finally:
                ended.set()
                pictures.end()
