"""Brokers as ways in: what systems publish at MQTT, NATS JetStream or Kafka goes the way of ``POST /ingest``.

::

    broker ──► mqtt │ nats │ kafka ──► desk ──► Intake ──► event log, or parked
       ▲       sparkplug: births,       │
       │       names, sequence          │
       └────── acknowledged ◄───────────┘  only when it is durable

A system that subscribes has a consumer of its own at the broker, under a name of its own, so that one system's trouble
holds up no other. Of the workers of a machine one consumes for each name (``locks``): order is kept, and nothing is
told twice. A broker that is away is tried again, ever more slowly; a message that nobody can read is parked and
acknowledged.

- ``settings`` the tables ``[brokers.NAME]``; what a system subscribes to is ``[systems.CODE.broker]`` (sources.intake)
- ``desk`` deliveries to messages, messages to the intake; ``link`` what an adapter is given and what it raises
- ``mqtt``, ``nats``, ``kafka`` one adapter each, loaded only where a broker of that type is named
- ``sparkplug`` and ``tahu`` what Sparkplug B payloads say
- ``running`` all of it for as long as the gateway runs
"""
