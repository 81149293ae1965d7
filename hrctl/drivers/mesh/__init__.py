"""What drivers of Routes and Nodes share, whichever proxy they bring them to."""
