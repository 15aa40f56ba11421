"""What is known of each component: version, ports, how it is got, how it is started."""
