#!/usr/bin/env python3
"""A batch of `aforo log cat --number` (standard input) -> a durable queue of RabbitMQ, in one transaction: python3 rabbitmq.py URL QUEUE

Exit status 0: the server has all of it, on its disk. A message's id is NODE/SHARD/SEQUENCE of its record: a reader that remembers the
largest sequence of each node and shard passes over what was sent twice. Needs Debian's python3-pika."""

import json
import sys

import pika

url, queue = sys.argv[1:]
with pika.BlockingConnection(pika.URLParameters(url)) as connection:
    channel = connection.channel()
    channel.queue_declare(queue, durable=True)
    channel.tx_select()
    for line in sys.stdin.buffer:
        record = json.loads(line)
        channel.basic_publish("", queue, line, pika.BasicProperties(
            message_id=f"{record['node']}/{record['shard']}/{record['sequence']}", content_type="application/json", delivery_mode=2))
    channel.tx_commit()
