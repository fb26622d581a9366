"""What travels through Kafka: the topics, the messages and their encoding, references and versions."""
