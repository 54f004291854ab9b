"""What the client asks of any server, whatever the protocol."""

BACKOFF = 0.2  # seconds before a request is made again; each further pause is twice as long
MAX_ANSWER = 64 * 2**20  # bytes; one about 8 images has 0.4 million by gRPC, 2 million by REST
START_SERVER = "start one: docker compose --file configs/serving/compose.yaml up (docs/serving.md)"
