hatchery_fuzz(mqtt_packet SOURCES mqtt_packet.cc USES hatchery_gateway)
hatchery_fuzz(mqtt_session SOURCES mqtt_session.cc USES hatchery_gateway)
hatchery_fuzz(reserved_topics SOURCES reserved_topics.cc USES hatchery_flows)
